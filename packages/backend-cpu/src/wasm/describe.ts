/** The machine that plans for the CPU are made for. */
import type { Target } from '@sinter/compiler';
import type { ScalarOp } from '@sinter/ir';

/** Scalar ops that WebAssembly has; the compiler decomposes the others into these. */
// prettier-ignore
const spells: readonly ScalarOp[] = [
  'add', 'sub', 'mul', 'div', 'mod', 'min', 'max', 'lt', 'le', 'eq', 'and', 'or', 'xor', 'shl', 'shr', 'mulhi',
  'neg', 'abs', 'sqrt', 'floor', 'round', 'select', 'fma', 'cast', 'bitcast',
];

/** What is known of the machine. */
export interface CpuDescription {
  /** Threads that run a plan. */ readonly threads: number;
  /** Whether the engine has relaxed SIMD, and so fused multiply-add. */ readonly fma: boolean;
}

/** The target of WebAssembly with 128-bit SIMD on a CPU; the caches are those of a common core of today. */
export function describeCpu({ threads, fma }: CpuDescription): Target {
  return {
    kind: 'cpu',
    spells: new Set(spells),
    vectorBytes: 16,
    registers: 16,
    cacheBytes: [32 << 10, 512 << 10],
    threads,
    sharedBytes: 0,
    maxWorkgroup: 1,
    maxBindings: 256,
    prepares: true,
    features: new Set(fma ? ['fma', 'atomics'] : ['atomics']),
  };
}
