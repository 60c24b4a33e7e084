/** A plain description of a machine: all that scheduling knows of it. */
import type { ScalarOp } from '@sinter/ir';

/** What a target can do beyond the common floor. */
export type Feature = 'f16' | 'subgroups' | 'fma' | 'atomics';

/** The machine that kernels are scheduled for. */
export interface Target {
  /** Which templates make its kernels: threads with caches and vectors, or workgroups of many threads. */
  readonly kind: 'cpu' | 'gpu';
  /** A GPU that a CPU emulates: barriers are dear, and shared memory is no faster than any other. Default `false`. */
  readonly software?: boolean;
  /** The scalar ops that the backend can write; the others are decomposed by the compiler. */
  readonly spells: ReadonlySet<ScalarOp>;
  /** Whether the driver may reorder floating-point arithmetic, as GPU drivers do. Default `false`. */
  readonly reorders?: boolean;
  /** Whether the runtime runs steps that give the same in every run only once (`Artifact.prepare`). Default `false`. */
  readonly prepares?: boolean;
  /** Bytes of a vector register. */ readonly vectorBytes: number;
  /** Vector registers that a kernel may use. */ readonly registers: number;
  /** Sizes of the data caches of one core, nearest first. */ readonly cacheBytes: readonly number[];
  /** Threads of a CPU that share the work. */ readonly threads: number;
  /** Bytes of memory that a workgroup shares. */ readonly sharedBytes: number;
  /** Threads of a workgroup at most. */ readonly maxWorkgroup: number;
  /** Buffers that one kernel may use; at least 4. */ readonly maxBindings: number;
  readonly features: ReadonlySet<Feature>;
}
