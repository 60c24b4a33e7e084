/**
 * The machine's own limits, measured in the same run as everything else by a small C program (limits.c), and what they say of a work:
 * the least time in which arithmetic and memory traffic let it run.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nativeRuntime } from '@sinter/backend-cpu';
import { BackendError } from '@sinter/compiler/artifact';
import type { Work } from '../harness/work.ts';

/** What so many threads can do together. Field names are those of the JSON file. */
export interface Limits {
  readonly threads: number;
  /** Width of the widest vectors. */
  readonly vector_bits: number;
  /** Fused multiply-adds with vectors of 128 bits, which is all that WebAssembly has; each counts as two operations. */
  readonly fma_128_gflops: number;
  /** The same with the widest vectors. */
  readonly fma_gflops: number;
  /** 10⁹ bytes a second: reading, copying (read and written counted) and `c = 1.5·a + b` over arrays of 192 MiB. */
  readonly read_gbs: number;
  readonly copy_gbs: number;
  readonly triad_gbs: number;
  /** The same over arrays of 16 MiB, which some caches hold. */
  readonly read_16mib_gbs: number;
  readonly copy_16mib_gbs: number;
}

/** What {@link measureLimits} finds. */
export interface Measured {
  /** One for each count of threads; none where there is no C compiler. */
  readonly limits: readonly Limits[];
  /** The compiler that made the program, or why there are no limits. */
  readonly limits_by: string;
}

/** Bytes up to which a work is held against the bandwidth of small arrays: both arrays of the copy. */
const SMALL_BYTES = 2 * 16 * 2 ** 20;

/** Measures for each count of threads; some seconds. Without a C compiler there are none, and `limits_by` says why. */
export function measureLimits(threads: readonly number[]): Measured {
  const folder = mkdtempSync(join(tmpdir(), 'sinter-limits-'));
  try {
    const { command, machineFlags } = nativeRuntime().compiler;
    const source = fileURLToPath(new URL('limits.c', import.meta.url));
    const program = join(folder, 'limits');
    execFileSync(command, ['-O3', '-ffp-contract=fast', ...machineFlags, '-pthread', source, '-o', program]);
    const measure = (count: number): Limits => ({
      threads: count,
      ...JSON.parse(execFileSync(program, [String(count)], { encoding: 'utf8' })),
    });
    return { limits: threads.map(measure), limits_by: [command, ...machineFlags].join(' ') };
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    return { limits: [], limits_by: error.message };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The least time of a work, and what sets it. */
export interface Bound {
  readonly by: 'arithmetic' | 'memory';
  readonly ms: number;
}

/**
 * What binds a work that says how much it must move; `undefined` for others.
 * @param native - whether the engine has the machine's widest vectors, or WebAssembly's
 */
export function boundOf(work: Work, limits: Limits, native: boolean): Bound | undefined {
  if (!work.moves) return undefined;
  const { read, written } = work.moves;
  const small = read + written <= SMALL_BYTES;
  const reading = small ? limits.read_16mib_gbs : limits.read_gbs;
  const copying = small ? limits.copy_16mib_gbs : limits.copy_gbs;
  const both = Math.min(read, written);
  const memory = ((2 * both) / copying + (Math.max(read, written) - both) / reading) / 1e6;
  const operations = Math.max(work.flops ?? 0, 2 * (work.instructions ?? 0));
  const arithmetic = operations / (native ? limits.fma_gflops : limits.fma_128_gflops) / 1e6;
  return arithmetic > memory ? { by: 'arithmetic', ms: arithmetic } : { by: 'memory', ms: memory };
}

/** The limits as lines of Markdown. */
export function describeLimits({ limits, limits_by: by }: Measured): string[] {
  if (!limits.length) return [`The machine's limits were not measured: ${by}`];
  const columns: readonly (readonly [string, (l: Limits) => number])[] = [
    ['FMA, 128-bit vectors, GFLOP/s', (l) => l.fma_128_gflops],
    [`FMA, ${limits[0]?.vector_bits}-bit vectors, GFLOP/s`, (l) => l.fma_gflops],
    ['read, 192 MiB, GB/s', (l) => l.read_gbs],
    ['copy, 192 MiB, GB/s', (l) => l.copy_gbs],
    ['triad, 192 MiB, GB/s', (l) => l.triad_gbs],
    ['read, 16 MiB, GB/s', (l) => l.read_16mib_gbs],
    ['copy, 16 MiB, GB/s', (l) => l.copy_16mib_gbs],
  ];
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    line([`limit (C, \`${by}\`)`, ...limits.map(({ threads }) => (threads === 1 ? '1 thread' : `${threads} threads`))]),
    line(['---', ...limits.map(() => '--:')]),
    ...columns.map(([title, of]) => line([title, ...limits.map((l) => of(l).toFixed(of(l) < 100 ? 1 : 0))])),
  ];
}
