/** How long runs of a program take. */
import type { Program } from '@sinter/compiler';
import type { Sizes, TensorData } from '@sinter/ir';

/** The time that one kernel takes in a run, all its calls together. */
export interface KernelTime {
  readonly kernel: string;
  readonly calls: number;
  readonly ms: number;
}

/** The times of a program. */
export interface Timed {
  readonly sizes: Sizes;
  /** Milliseconds of a run: half of the runs took less. */
  readonly ms: number;
  /** The quickest run. */
  readonly best: number;
  /** Of programs that read `input_ids`: how many of these in a second. */
  readonly tokensPerSecond?: number;
  /** With `--profile`: the dearest first. */
  readonly kernels?: readonly KernelTime[];
}

/** Runs without which engines have not compiled their best code. */
const warmUps = 3;

/** Times so many runs, each after the one before. */
export async function timeProgram(
  program: Program,
  inputs: Readonly<Record<string, TensorData>>,
  sizes: Sizes,
  { rounds, profile }: { readonly rounds: number; readonly profile?: true },
): Promise<Timed> {
  for (let i = 0; i < warmUps; i++) await program.run(inputs);
  const times: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const began = performance.now();
    await program.run(inputs);
    times.push(performance.now() - began);
  }
  const ms = median(times);
  const tokens = tokensOf(inputs);
  return {
    sizes,
    ms,
    best: Math.min(...times),
    ...(tokens !== undefined && { tokensPerSecond: (tokens / ms) * 1000 }),
    ...(profile && { kernels: await profiled(program, inputs, rounds) }),
  };
}

async function profiled(
  program: Program,
  inputs: Readonly<Record<string, TensorData>>,
  rounds: number,
): Promise<KernelTime[]> {
  const runs: (readonly { readonly kernel: string; readonly ms: number }[])[] = [];
  for (let i = 0; i < rounds; i++) runs.push((await program.profile(inputs)).steps);
  const kernels = new Map<string, { calls: number; ms: number }>();
  runs[0]!.forEach(({ kernel }, step) => {
    const of = kernels.get(kernel) ?? { calls: 0, ms: 0 };
    kernels.set(kernel, { calls: of.calls + 1, ms: of.ms + median(runs.map((steps) => steps[step]!.ms)) });
  });
  return [...kernels].map(([kernel, of]) => ({ kernel, ...of })).sort((a, b) => b.ms - a.ms);
}

/** The tokens of a run: those of the input that models of language call `input_ids`. */
function tokensOf({ input_ids }: Readonly<Record<string, TensorData>>): number | undefined {
  return input_ids?.shape.reduce((a, b) => a * b, 1);
}

function median(xs: readonly number[]): number {
  const sorted = [...xs].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}
