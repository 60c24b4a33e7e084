/** A plain description of a machine: all that scheduling knows of it. */
import type { ScalarOp } from '@sinter/ir';

/** What a target can do beyond the common floor. */
export type Feature = 'f16' | 'subgroups' | 'fma' | 'atomics';

/** The machine that kernels are scheduled for. */
export interface Target {
  readonly kind: 'cpu' | 'gpu';
  /** The scalar ops that the backend can write; the others are decomposed by the compiler. */
  readonly spells: ReadonlySet<ScalarOp>;
  /** Bytes of a vector register. */ readonly vectorBytes: number;
  /** Vector registers that a kernel may use. */ readonly registers: number;
  /** Sizes of the data caches of one core, nearest first. */ readonly cacheBytes: readonly number[];
  readonly threads: number;
  /** Bytes of memory that a workgroup shares. */ readonly sharedBytes: number;
  readonly maxWorkgroup: number;
  /** Buffers that one kernel may use. */ readonly maxBindings: number;
  readonly features: ReadonlySet<Feature>;
}
