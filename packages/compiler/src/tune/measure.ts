/** The times of ways to compute the same, measured in turn, so that whatever else the machine does falls on all of them. */
import type { Data } from '@sinter/ir';
import { dataFor, dataFrom, isFloat } from '@sinter/ir';
import type { Port } from '../artifact/format.ts';
import type { Program } from '../artifact/program.ts';
import type { Backend } from '../backend.ts';
import type { ScheduleContext } from '../schedule/draft.ts';
import type { TrialOptions, Way } from './trial.ts';
import { trialOf } from './trial.ts';

/** Engines compile better code while a program runs: rounds until a round is no longer quicker than the one before, at most. */
const warmUps = 12;
/** After so many elements, samples repeat. */
const period = 997;

/** How ways are measured. */
export interface MeasureOptions extends TrialOptions {
  /** How often each way is timed. */
  readonly rounds: number;
  /** How many milliseconds are left: where there are none before the last round, there is no result. */
  readonly left: () => number;
}

/** The milliseconds of each way, round by round; `undefined` where there was no time for it. */
export async function measureWays(
  backend: Backend,
  ctx: ScheduleContext,
  ways: readonly Way[],
  options: MeasureOptions,
): Promise<readonly (readonly number[])[] | undefined> {
  const { rounds, left } = options;
  const { plan, wayOf, repeats, inputs } = trialOf(ctx, ways, options);
  await using program = await backend.load(await backend.build(plan, { portable: false }));
  // Written even where it is zero: memory that was never written may be one page under many addresses.
  for (const [name, port] of Object.entries(program.state.ports)) await program.state.write(name, sample(port));
  const round = () => timesOf(program, inputs, wayOf, ways.length, repeats);
  let before = Infinity;
  for (let i = 0; i < warmUps && left() > 0; i++) {
    const now = sum(await round());
    if (i > 1 && now > 0.98 * before) break;
    before = now;
  }
  const times: (readonly number[])[] = [];
  while (times.length < rounds) {
    if (left() <= 0) return undefined;
    times.push(await round());
  }
  return ways.map((_, w) => times.map((of) => of[w]!));
}

async function timesOf(
  program: Program,
  inputs: Parameters<Program['profile']>[0],
  wayOf: readonly number[],
  ways: number,
  repeats: number,
): Promise<number[]> {
  const { steps } = await program.profile(inputs);
  const times = Array.from({ length: ways }, () => 0);
  steps.forEach(({ ms }, i) => {
    const way = wayOf[i]!;
    if (way >= 0) times[way]! += ms / repeats;
  });
  return times;
}

/** Small numbers; zeros where they may be indices. */
function sample({ dtype, shape }: Port): Data {
  const count = shape[0] as number;
  if (!isFloat(dtype)) return dataFor(dtype, count);
  const some = dataFrom(
    dtype,
    Array.from({ length: Math.min(count, period) }, (_, i) => 1 / (i + 2)),
  );
  const data = dataFor(dtype, count);
  for (let at = 0; at < count; at += period) data.set(some.subarray(0, Math.min(period, count - at)), at);
  return data;
}

const sum = (xs: readonly number[]): number => xs.reduce((a, b) => a + b, 0);

/** The middle of some numbers. */
export function median(xs: readonly number[]): number {
  const sorted = [...xs].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}
