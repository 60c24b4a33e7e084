/** What the compiler did, as a table that people read: each step with what was fused into it, its work and its memory. */
import type { Sizes, Tensor } from '@sinter/ir';
import { dtypeBytes, sourceName } from '@sinter/ir';
import type { PlanBuffer } from './artifact/format.ts';
import { arenaLayout, evaluateSize } from './artifact/offsets.ts';
import { keepPrepared } from './artifact/prepare.ts';
import type { StepTime } from './artifact/program.ts';
import type { Planned } from './make-plan.ts';
import { isData } from './fuse/group.ts';
import type { MemoryTimeline } from './timeline.ts';
import { memoryTimeline, showTimeline } from './timeline.ts';

/** One row of {@link explain}. */
export interface ExplainedStep {
  readonly step: number;
  readonly kernel: string;
  /** Whether it is run once only, because it gives the same in every run. */
  readonly once?: true;
  /** What is computed and stored, or packed, here, and what is inlined into it: of an operand that is packed, its prologue. */
  readonly stores: readonly string[];
  readonly inlines: readonly string[];
  readonly flops: number;
  readonly bytes: number;
  /** Measured milliseconds, where times were given. */
  readonly ms?: number;
}

/** Options of {@link explain}. */
export interface ExplainOptions {
  /** The steps of a profiled run with the same sizes (`program.profile(…).steps`): the table then shows times and rates too. */
  readonly times?: readonly StepTime[];
}

/** The result of {@link explain}: data, and `toString()` for people. */
export interface Explanation {
  readonly steps: readonly ExplainedStep[];
  readonly kernels: number;
  /** Arithmetic and memory traffic of a run, without the steps that are run once. */
  readonly flops: number;
  readonly bytes: number;
  /** Bytes of state and constants, which outlive runs. */
  readonly stateBytes: number;
  /** Bytes of what is prepared: kept from steps that are run once. */
  readonly preparedBytes: number;
  /** Bytes of the arena, and the least that any assignment could need: the largest sum of buffers that live at once. */
  readonly arenaBytes: number;
  readonly arenaLowerBound: number;
  /** What lives in the arena at each step, and what lies there where it is most. */
  readonly memory: MemoryTimeline;
  /** Matrices of attention scores: whether they are stored, and why. */
  readonly scores: readonly string[];
  /** The table. */
  toString(): string;
}

/**
 * Explains a plan for given run-time sizes.
 *
 * @throws RangeError for a size without a value, and for times of another plan.
 */
export function explain(planned: Planned, sizes: Sizes = {}, { times }: ExplainOptions = {}): Explanation {
  const { plan, fused } = planned;
  const fixed = Object.fromEntries(
    Object.entries(plan.dims).map(([name, r]) => [name, sizes[name] ?? (r.min === r.max ? r.min : undefined)]),
  );
  for (const [name, value] of Object.entries(fixed))
    if (value === undefined)
      throw new RangeError(`explain '${plan.name}': give a value for the run-time size '${name}'`);
  const at = fixed as Record<string, number>;
  const { prepare = 0 } = plan;
  if (times && times.length !== plan.steps.length - prepare)
    throw new RangeError(
      `explain '${plan.name}': the plan has ${plan.steps.length - prepare} steps in every run, the times are of ${times.length}; profile a program of this plan`,
    );
  const show = (t: Tensor): string =>
    `${t.op.name === 'input' || t.op.name === 'state' ? sourceName(t) : t.op.name} ${t.dtype}[${t.shape.join(', ')}]`;
  const steps = plan.steps.map((step, i): ExplainedStep => {
    const kernel = plan.kernels[step.kernel]!;
    const scheduled = planned.steps[i]?.scheduled;
    const members = scheduled?.computes ?? [];
    const packs = scheduled?.packs;
    // An operand that lies in a buffer is packed as it is.
    const prologue = packs && !isData(packs) && !fused.stored.has(packs) ? [packs] : [];
    const stored = planned.steps[i]?.group.outputs.filter((t) => members.includes(t)) ?? [];
    return {
      step: i,
      kernel: kernel.name,
      ...(i < prepare && { once: true as const }),
      stores: [
        ...stored.map((t) => `${show(t)} (${fused.stored.get(t) ?? ''})`),
        ...(packs ? [`${show(packs)} (packed)`] : []),
      ],
      inlines: inlinedInto(packs ? prologue : members, fused.stored, new Set(stored)).map((t) => t.op.name),
      flops: evaluateSize(kernel.cost.flops, at),
      bytes: evaluateSize(kernel.cost.bytes, at),
      ...(times && i >= prepare && { ms: times[i - prepare]!.ms }),
    };
  });
  const kept = keepPrepared(plan);
  const sum = (of: (b: PlanBuffer) => boolean): number =>
    kept.buffers.filter(of).reduce((total, b) => total + evaluateSize(b.length, at) * dtypeBytes[b.dtype], 0);
  const everyRun = steps.slice(prepare);
  const memory = memoryTimeline(plan, at);
  const result = {
    steps,
    kernels: plan.kernels.length,
    flops: everyRun.reduce((sum, s) => sum + s.flops, 0),
    bytes: everyRun.reduce((sum, s) => sum + s.bytes, 0),
    stateBytes: sum((b) => b.role === 'state' || b.role === 'constant'),
    preparedBytes: sum((b) => b.role === 'prepared'),
    arenaBytes: arenaLayout(kept, at).bytes,
    arenaLowerBound: memory.peak.bytes,
    memory,
    scores: [
      ...[...fused.transient].map(([t, why]) => `${show(t)} never stored (${why})`),
      ...[...fused.refused].map(([t, why]) => `${show(t)} stored (${why})`),
    ],
  };
  return { ...result, toString: () => table(plan.name, result) };
}

/** What is computed within `members` and not stored, operands first. */
export function inlinedInto(
  members: readonly Tensor[],
  stored: ReadonlyMap<Tensor, string>,
  own: ReadonlySet<Tensor>,
): Tensor[] {
  const out: Tensor[] = [];
  const seen = new Set<Tensor>(members);
  const visit = (t: Tensor): void => {
    for (const x of t.inputs) {
      if (seen.has(x) || stored.has(x) || isData(x)) continue;
      seen.add(x);
      visit(x);
      if (x.op.kind !== 'source') out.push(x);
    }
  };
  for (const t of members) {
    visit(t);
    if (!own.has(t)) out.push(t);
  }
  return out;
}

/** A column of the table: its head, whether it is of numbers, and its cells. */
type Column = readonly [head: string, right: boolean, cell: (s: ExplainedStep) => string];

function table(name: string, e: Omit<Explanation, 'toString'>): string {
  const mega = (n: number): string => (n / 1e6).toFixed(n < 1e7 ? 2 : 0);
  const measured: readonly Column[] = [
    ['ms', true, (s) => s.ms?.toFixed(3) ?? ''],
    ['GFLOP/s', true, (s) => (s.ms === undefined ? '' : (s.flops / 1e6 / Math.max(s.ms, 1e-6)).toFixed(1))],
  ];
  const columns: readonly Column[] = [
    ['step', false, (s) => `${s.step}${s.once ? ' once' : ''}`],
    ['kernel', false, (s) => s.kernel],
    ['MFLOP', true, (s) => mega(s.flops)],
    ['MB', true, (s) => mega(s.bytes)],
    ...(e.steps.some((s) => s.ms !== undefined) ? measured : []),
    ['stores (why)', false, (s) => s.stores.join('; ')],
    ['inlines', false, (s) => summary(s.inlines)],
  ];
  const head = columns.map(([name]) => name);
  const rows = e.steps.map((s) => columns.map(([, , cell]) => cell(s)));
  const widths = head.map((h, i) => Math.min(60, Math.max(h.length, ...rows.map((r) => r[i]!.length))));
  const line = (r: readonly string[]): string =>
    r
      .map((c, i) => (columns[i]![1] ? c.padStart(widths[i]!) : c.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  const mib = (n: number): string => `${(n / 2 ** 20).toFixed(1)} MiB`;
  return [
    `${name}: ${e.steps.length} steps of ${e.kernels} kernels, ${(e.flops / 1e9).toFixed(2)} GFLOP, ${(e.bytes / 1e9).toFixed(3)} GB of memory traffic`,
    `memory: ${mib(e.stateBytes)} of state and constants${e.preparedBytes > 0 ? `, ${mib(e.preparedBytes)} prepared from them` : ''}, an arena of ${mib(e.arenaBytes)} (at least ${mib(e.arenaLowerBound)})`,
    ...showTimeline(e.memory),
    ...(e.scores.length > 0 ? [`scores: ${summary(e.scores)}`] : []),
    line(head),
    line(widths.map((w) => '-'.repeat(w))),
    ...rows.map(line),
  ].join('\n');
}

/** `mul ×3, add`: names in order of first use, with how often. */
export function summary(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const n of names) counts.set(n, (counts.get(n) ?? 0) + 1);
  return [...counts].map(([n, c]) => (c === 1 ? n : `${n} ×${c}`)).join(', ');
}
