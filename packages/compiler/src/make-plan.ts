/** From a graph to a plan: the passes, the groups, their kernels, and what becomes of these. */
import type { Graph } from '@sinter/ir';
import { dimNames, graphDims, GraphError, graphLimits } from '@sinter/ir';
import type { DimRange } from './artifact/format.ts';
import type { PlanStep } from './assemble.ts';
import { assemble } from './assemble.ts';
import type { Fused } from './fuse/fuse.ts';
import { fuse } from './fuse/fuse.ts';
import type { Attention } from './fuse/transient.ts';
import { simplifyGraph } from './pipeline.ts';
import type { Plan } from './plan.ts';
import type { Region } from './region.ts';
import type { Scheduled, ScheduleContext } from './schedule/draft.ts';
import { scheduleAll } from './schedule/equal.ts';
import type { Schedules } from './schedule/kernel-shape.ts';
import type { Tile } from './schedule/tiles.ts';
import { worthRecomputing } from './schedule/tiles.ts';
import type { Target } from './target.ts';

/** A run-time size as compile options have it: fixed, or a range. */
export type DimOption = number | Partial<DimRange>;

/** Options of planning. */
export interface PlanOptions {
  /** Sizes that are fixed (faster) or bounded; the others may be anything from 1 on. */
  readonly dims?: Readonly<Record<string, DimOption>>;
  /** Sees the graph after every pass, and the groups. */
  readonly trace?: (stage: string, what: Graph | Fused | readonly Scheduled[] | Plan) => void;
  /** Overrides of the tile of contractions that the target suggests. */
  readonly tile?: Partial<Tile>;
  /** How kernels of some shapes are cut, by the shape's text: what `tune` found. They go before `tile`. */
  readonly schedules?: Schedules;
  /** `false`: every op is stored by itself. For tests, and for finding out what fusion does. */
  readonly fuse?: boolean;
  /**
   * How matrices of attention scores are treated: `stored` as any tensor; `blockwise` never, they are computed again tile by tile in
   * every kernel that reads them, forward and backward, so that memory grows linearly with the sequence; where a kernel would bind
   * too many buffers for that, they are stored all the same. Default on CPUs `auto`:
   * blockwise where they are known to be large (256 × 256 and more, 8 MiB in all); on GPUs `stored`.
   */
  readonly attention?: Attention;
  /**
   * Whether steps that give the same in every run (packing a weight that the program does not update) are run once only, and what they
   * wrote is kept beside the state: faster, for the memory of the packed weights. Default `true`, where the target can.
   */
  readonly prepare?: boolean;
  /** Whether the backend runs a region its own way, see `Backend.claims`. Default: it runs none. */
  readonly claims?: (region: Region) => boolean;
}

/** A plan and how it came about. */
export interface Planned {
  readonly plan: Plan;
  /** What stands behind each step of the plan; the copies at its end come from no group. */
  readonly steps: readonly PlanStep[];
  readonly fused: Fused;
  /** What the groups were scheduled with. */
  readonly context: ScheduleContext;
}

function rangesOf(g: Graph, options: PlanOptions): Record<string, DimRange> {
  const names = graphDims(g);
  for (const name of Object.keys(options.dims ?? {})) {
    if (!names.includes(name))
      throw new GraphError(
        `compile '${g.name}': there is no run-time size '${name}'; the graph has ${names.join(', ') || 'none'}`,
      );
  }
  const limits = graphLimits(g);
  return Object.fromEntries(
    names.map((name) => {
      const given = options.dims?.[name];
      const range = typeof given === 'number' ? { min: given, max: given } : { min: 1, max: Infinity, ...given };
      const limit = limits[name] ?? Infinity;
      if (range.min > limit)
        throw new GraphError(
          `compile '${g.name}': '${name}' is ${range.min} or more, but is cut from an axis of ${limit}`,
        );
      return [name, { min: range.min, max: Math.min(range.max, limit) }];
    }),
  );
}

/** Makes the plan of a graph for a target. */
export function makePlan(g: Graph, target: Target, options: PlanOptions = {}): Planned {
  for (const [name, t] of Object.entries(g.state)) {
    if (t.shape.some((d) => dimNames(d).length > 0))
      throw new GraphError(
        `compile '${g.name}': state '${name}' has the run-time size [${t.shape.join(', ')}]; state outlives runs and needs numbers`,
      );
  }
  const dims = rangesOf(g, options);
  const simple = simplifyGraph(g, options.trace, target.kind);
  const planWith = (inPlace: boolean): Planned => planFused(g, simple, target, dims, options, inPlace);
  const planned = planWith(true);
  // State that is read later than it is replaced is copied after all: then some kernel may bind more than was counted.
  const planFits = (p: Planned): boolean => tooWide(p.plan, target) === undefined;
  const made = planFits(planned) ? planned : planWith(false);
  const wide = tooWide(made.plan, target);
  if (wide)
    throw new GraphError(
      `kernel '${wide.name}' needs ${wide.buffers.length} buffers, the target binds ${target.maxBindings}; store some of its operands`,
    );
  options.trace?.('plan', made.plan);
  return made;
}

function tooWide({ kernels }: Plan, { maxBindings }: Target): Plan['kernels'][number] | undefined {
  return kernels.find((k) => k.buffers.length > maxBindings);
}

function planFused(
  g: Graph,
  simple: Graph,
  target: Target,
  dims: Record<string, DimRange>,
  options: PlanOptions,
  inPlace: boolean,
): Planned {
  const fused = fuse(simple, {
    maxBindings: target.maxBindings,
    inPlace,
    recompute: worthRecomputing(target),
    dims,
    join: options.fuse !== false,
    attention: options.attention ?? (target.kind === 'cpu' ? 'auto' : 'stored'),
    walks: target.kind === 'cpu',
    ...(options.claims && { claims: options.claims }),
  });
  options.trace?.('fuse', fused);
  const prepares = (target.prepares ?? false) && options.prepare !== false;
  const ctx: ScheduleContext = {
    fused,
    target: { ...target, prepares },
    dims,
    ...(options.tile && { tile: options.tile }),
    ...(options.schedules && { schedules: options.schedules }),
  };
  const steps: PlanStep[] = scheduleAll(ctx);
  options.trace?.(
    'schedule',
    steps.map((s) => s.scheduled),
  );
  const { plan, ran } = assemble(g, ctx, steps, { prepare: prepares });
  return { plan, steps: ran, fused, context: ctx };
}
