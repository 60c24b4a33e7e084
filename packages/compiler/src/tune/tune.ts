/**
 * Tuning: for each kernel shape of a plan a few schedules are measured on this machine, and those that are clearly quicker than
 * what the target suggests are kept. It is a search over plain data on top of what every backend can do: build, load, profile.
 */
import type { Sizes } from '@sinter/ir';
import type { Artifact } from '../artifact/format.ts';
import type { Backend } from '../backend.ts';
import type { Cache } from '../cache/cache.ts';
import type { Group } from '../fuse/group.ts';
import type { Planned } from '../make-plan.ts';
import type { ScheduleContext } from '../schedule/draft.ts';
import { schedule } from '../schedule/index.ts';
import type { Schedule, Schedules } from '../schedule/kernel-shape.ts';
import { kernelShape } from '../schedule/kernel-shape.ts';
import { candidates } from './candidates.ts';
import { measureWays, median } from './measure.ts';
import type { Way } from './trial.ts';
import { wayKey, workOf } from './trial.ts';

/** How much is measured, and for which sizes. */
export interface TuneOptions {
  /**
   * Values of run-time sizes that are usual where the program will run; kernels are measured with these. Default: 8 for `batch`, 128 for
   * others, or the nearest that their range allows.
   */
  readonly sizes?: Sizes;
  /** Milliseconds after which no more is begun; shapes that take most of the work come first. Default: 30,000. */
  readonly budget?: number;
  /** `false`: nothing is measured; what the cache holds is used. Default: `true`. */
  readonly measure?: boolean;
  /** Hears of every shape as soon as it is settled. */
  readonly onShape?: (shape: TunedShape) => void;
}

/** What came of one kernel shape. */
export interface TunedShape {
  /** The shape, as `kernelShape` writes it. */
  readonly shape: string;
  /** How many groups of the plan have it, and their work in operations at the sizes that were measured. */
  readonly count: number;
  readonly work: number;
  /** The winner; empty where what the target suggests was not beaten. */
  readonly schedule: Schedule;
  /** Milliseconds of one such group as the target suggests and with the winner; absent where nothing was ever measured. */
  readonly before?: number;
  readonly after?: number;
  /** Measured now, found in the cache, or left as it was: there was no time, nothing is to be measured, or there is one way only. */
  readonly from: 'measured' | 'cache' | 'skipped';
}

/** The result of {@link tune}. */
export interface Tuned {
  /** The winners, for the option `schedules` of planning; shapes that are best as they are are not in it. */
  readonly schedules: Schedules;
  /** All shapes that can be cut in several ways, the most work first. */
  readonly shapes: readonly TunedShape[];
  /** Whether every shape is settled: none was left out for want of time. */
  readonly complete: boolean;
}

/** What is kept of a shape. */
type Winner = Required<Pick<TunedShape, 'schedule' | 'before' | 'after'>>;

/** Rounds of the candidates of a stage; how many of all of them are then timed again, and how often. */
const screeningRounds = 3;
const finalists = 3;
const finalRounds = 9;
/** A winner must be so much quicker than what the target suggests, round for round. */
const least = 0.98;
/** Shapes with a smaller part of the plan's work than this are left as they are. */
const worthTuning = 0.002;
/** A way is computed so often in a round that about this many operations are done: clocks are coarse. */
const workOfRound = 2e8;
/** The same for GPUs that a CPU emulates. */
const workOfSlowRound = 1e7;

/**
 * Finds schedules for the kernel shapes of a plan. Results of programs change by no more than the order of their sums; for one target and
 * schedule they still depend on no number of threads.
 *
 * @param planned what is to be tuned, made for the target of `backend`
 * @param cache where winners are kept, by machine, target and shape; those that are there are not measured again
 * @throws BackendError where the backend cannot build or load a trial
 */
export async function tune(
  planned: Planned,
  backend: Backend,
  options: TuneOptions = {},
  cache?: Cache,
): Promise<Tuned> {
  const { budget = 30_000, measure = true, onShape } = options;
  const { context } = planned;
  const sizes = usualSizes(context, options.sizes);
  const began = performance.now();
  const left = (): number => budget - (performance.now() - began);
  const machine = await backend.machine?.();
  const shapes: TunedShape[] = [];
  let complete = true;
  for (const { shape, group, count, work } of shapesOf(planned, sizes)) {
    const key = winnerKey(backend, machine, shape, sizes);
    const kept = await readWinner(cache, key);
    const found = kept ?? (measure && left() > 0 ? await search(planned, backend, group, sizes, left) : undefined);
    if (!kept && found) await cache?.write(key, new TextEncoder().encode(JSON.stringify(found)));
    complete &&= found !== undefined;
    const from = kept ? 'cache' : found ? 'measured' : 'skipped';
    const settled: TunedShape = { shape, count, work, schedule: {}, ...found, from };
    shapes.push(settled);
    onShape?.(settled);
  }
  const won = shapes.filter((s) => Object.keys(s.schedule).length > 0);
  return { schedules: Object.fromEntries(won.map((s) => [s.shape, s.schedule])), shapes, complete };
}

/**
 * A value for every run-time size of a program: those given, else 8 for `batch` and 128 for others, or the nearest that their range allows.
 */
export function usualSizes({ dims }: Pick<Artifact, 'dims'>, given: Sizes = {}): Record<string, number> {
  return Object.fromEntries(
    Object.entries(dims).map(([name, { min, max }]) => {
      const usual = given[name] ?? (name === 'batch' ? 8 : 128);
      return [name, Math.max(min, Math.min(max, usual))];
    }),
  );
}

interface ShapeUse {
  readonly shape: string;
  /** The first group of this shape: the others are taken to be like it. */
  readonly group: Group;
  readonly count: number;
  readonly work: number;
}

/** The shapes of a plan that are worth tuning, the most work first. */
function shapesOf({ context, fused, steps }: Planned, sizes: Sizes): ShapeUse[] {
  const plain = unscheduled(context);
  const uses = new Map<string, { group: Group; count: number; work: number }>();
  for (const group of fused.groups) {
    const shape = kernelShape(plain, group);
    if (shape === undefined) continue;
    const work = workOf(
      steps.flatMap((s) => (s.group === group ? [s.scheduled] : [])),
      sizes,
    );
    const known = uses.get(shape);
    if (known) {
      known.count++;
      known.work += work;
    } else uses.set(shape, { group, count: 1, work });
  }
  const all = [...uses].map(([shape, use]): ShapeUse => ({ shape, ...use }));
  const total = all.reduce((sum, { work }) => sum + work, 0);
  return all.filter(({ work }) => work >= worthTuning * total).sort((a, b) => b.work - a.work);
}

/**
 * Screens the candidates stage by stage, then times the best of them against what the target suggests. `undefined` where time ran
 * out before there was a result.
 */
async function search(
  planned: Planned,
  backend: Backend,
  group: Group,
  sizes: Sizes,
  left: () => number,
): Promise<Winner | undefined> {
  const context = unscheduled(planned.context);
  const wayWith = (change: Schedule): Way | undefined => {
    try {
      return schedule({ ...context, tile: { ...context.tile, ...change } }, group);
    } catch (error) {
      // A tile that the target cannot run.
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  };
  const perRound = context.target.software ? workOfSlowRound : workOfRound;
  const repeats = Math.max(1, Math.min(64, Math.round(perRound / workOf(wayWith({})!, sizes))));
  const how = { sizes, repeats, lasting: lastingState(planned), left };
  const time = (tried: readonly Candidate[], rounds: number) =>
    measureWays(
      backend,
      context,
      tried.map(({ way }) => way),
      { ...how, rounds },
    );

  const screened: { readonly change: Schedule; readonly ms: number }[] = [{ change: {}, ms: Infinity }];
  for (const stage of candidates(context.target)) {
    const best = screened[0]!.change;
    const tried = distinct([best, ...stage.map((change) => ({ ...best, ...change }))], wayWith);
    if (tried.length === 1) continue;
    const times = await time(tried, screeningRounds);
    if (!times) return undefined;
    screened.push(...tried.map(({ change }, i) => ({ change, ms: Math.min(...times[i]!) })));
    screened.sort((a, b) => a.ms - b.ms);
  }
  const final = distinct([{}, ...screened.slice(0, finalists).map(({ change }) => change)], wayWith);
  const times = await time(final, finalRounds);
  if (!times) return undefined;
  const ratios = times.map((of) => ratioOf(of, times[0]!));
  const quickest = ratios.indexOf(Math.min(...ratios));
  const winner = ratios[quickest]! < least ? quickest : 0;
  return { schedule: final[winner]!.change, before: median(times[0]!), after: median(times[winner]!) };
}

/**
 * How much time one way takes of another's, round for round, since what disturbs a round disturbs both; and no less than by their best
 * rounds, which nothing disturbed.
 */
function ratioOf(times: readonly number[], other: readonly number[]): number {
  return Math.max(median(times.map((ms, i) => ms / other[i]!)), Math.min(...times) / Math.min(...other));
}

/** A schedule and what it makes of a group. */
interface Candidate {
  readonly change: Schedule;
  readonly way: Way;
}

/** The changes that come to different kernels, each once. */
function distinct(changes: readonly Schedule[], wayWith: (change: Schedule) => Way | undefined): Candidate[] {
  const seen = new Set<string>();
  return changes.flatMap((change) => {
    const way = wayWith(change);
    const key = way && wayKey(way);
    if (!way || key === undefined || seen.has(key)) return [];
    seen.add(key);
    return [{ change, way }];
  });
}

function unscheduled({ schedules: _, ...context }: ScheduleContext): ScheduleContext {
  return context;
}

/** State that no run changes, where the runtime packs it once. */
function lastingState({ context: { target, fused } }: Planned): ReadonlySet<string> {
  if (!target.prepares) return new Set();
  return new Set(Object.keys(fused.graph.state).filter((name) => !Object.hasOwn(fused.graph.updates, name)));
}

// ---- what is kept

function winnerKey(
  { name, version, target }: Backend,
  machine: string | undefined,
  shape: string,
  sizes: Sizes,
): string {
  const used = Object.entries(sizes).filter(([dim]) => new RegExp(`\\b${dim}\\b`).test(shape));
  const plain = (_: string, value: unknown): unknown =>
    value instanceof Set ? [...(value as Set<string>)].sort() : value;
  return `tuned ${JSON.stringify([name, version, machine, target, shape, Object.fromEntries(used)], plain)}`;
}

async function readWinner(cache: Cache | undefined, key: string): Promise<Winner | undefined> {
  const bytes = await cache?.read(key);
  return bytes && (JSON.parse(new TextDecoder().decode(bytes)) as Winner);
}
