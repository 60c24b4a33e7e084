/** The machine that plans for native code are made for: what the C compiler says of it, and the sizes of its caches. */
import type { Target } from '@sinter/compiler';
import type { ScalarOp } from '@sinter/ir';
import type { CCompiler } from '../runtime/native/compiler.ts';
import { builtin } from '../runtime/native/compiler.ts';

/** Scalar ops that are written in C; the compiler decomposes the others into these: the same numerics as everywhere. */
// prettier-ignore
const spells: readonly ScalarOp[] = [
  'add', 'sub', 'mul', 'div', 'mod', 'min', 'max', 'lt', 'le', 'eq', 'and', 'or', 'xor', 'shl', 'shr', 'mulhi',
  'neg', 'abs', 'sqrt', 'floor', 'round', 'select', 'fma', 'cast', 'bitcast',
];

/** The target of native code on this machine. */
export function describeNative({
  threads,
  compiler,
}: {
  readonly threads: number;
  readonly compiler: CCompiler;
}): Target {
  const has = (macro: string): boolean => compiler.defines(macro);
  const wide = has('__AVX512F__') && has('__AVX512BW__') && has('__AVX512DQ__');
  // x86 before 2013 has no instructions for these, and calls into the C library would be slower than what they decompose into.
  const fma = (has('__AVX2__') && has('__FMA__')) || has('__aarch64__');
  const lacking: readonly ScalarOp[] = fma ? [] : ['fma', 'floor', 'round'];
  return {
    kind: 'cpu',
    spells: new Set(spells.filter((op) => !lacking.includes(op))),
    vectorBytes: wide ? 64 : has('__AVX2__') ? 32 : 16,
    registers: wide || has('__aarch64__') ? 32 : 16,
    cacheBytes: cacheSizes() ?? [32 << 10, 512 << 10],
    threads,
    sharedBytes: 0,
    maxWorkgroup: 1,
    maxBindings: 256,
    prepares: true,
    features: new Set(fma ? ['fma', 'atomics'] : ['atomics']),
  };
}

/** The data caches of one core as Linux tells them, nearest first. */
function cacheSizes(): number[] | undefined {
  const { readdirSync, readFileSync } = builtin('node:fs');
  const folder = '/sys/devices/system/cpu/cpu0/cache';
  try {
    const levels = readdirSync(folder).flatMap((entry) => {
      if (!entry.startsWith('index')) return [];
      const read = (what: string): string => readFileSync(`${folder}/${entry}/${what}`, 'utf8').trim();
      if (read('type') === 'Instruction' || read('shared_cpu_list').match(/[,-]/)) return [];
      return [{ level: Number(read('level')), bytes: parseInt(read('size'), 10) * 1024 }];
    });
    return levels.length === 0 ? undefined : levels.sort((a, b) => a.level - b.level).map(({ bytes }) => bytes);
  } catch {
    return undefined;
  }
}
