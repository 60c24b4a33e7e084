/** From groups to a plan: kernels made once, buffers with lifetimes, state updated in place where nothing reads it later. */
import type { DType, Expr, Graph, Tensor } from '@sinter/ir';
import {
  dimNames,
  elements,
  graphDims,
  graphRoots,
  GraphError,
  ops,
  simplifier,
  sourceName,
  Tensor as T,
  topological,
} from '@sinter/ir';
import type { BufferRole, DimRange, PlanBuffer, Port, Ports, Step } from './artifact/format.ts';
import { decompose } from './loop/decompose.ts';
import type { Fused } from './fuse/fuse.ts';
import { fuse } from './fuse/fuse.ts';
import type { Group } from './fuse/group.ts';
import { isData } from './fuse/group.ts';
import type { Kernel, LoopExpr, Stmt } from './loop/language.ts';
import { load } from './loop/language.ts';
import { optimize } from './loop/optimize.ts';
import { exprKey, mapExprs, partsOf, withExprs, withParts } from './loop/walk.ts';
import { simplifyGraph } from './pipeline.ts';
import type { Plan } from './plan.ts';
import { schedule } from './schedule/index.ts';
import type { Binding, Scheduled, ScheduleContext, Scratch } from './schedule/draft.ts';
import type { Tile } from './schedule/tiles.ts';
import { lengthOf, usesName } from './schedule/draft.ts';
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
  /** `false`: every op is stored by itself. For tests, and for finding out what fusion does. */
  readonly fuse?: boolean;
}

/** What is known of each step, for `explain`. */
export interface PlanStep {
  readonly group: Group;
  readonly scheduled: Scheduled;
}
/** A plan and how it came about. */
export interface Planned {
  readonly plan: Plan;
  /** What stands behind each step of the plan; the copies at its end come from no group. */
  readonly steps: readonly PlanStep[];
  readonly fused: Fused;
}

/** Sizes are counted in `i32`. While compiling, a size without a limit is taken as unbounded: sizes never wrap. */
const largestSize = 2147483647;

function rangesOf(g: Graph, options: PlanOptions): Record<string, DimRange> {
  const names = graphDims(g);
  for (const name of Object.keys(options.dims ?? {})) {
    if (!names.includes(name))
      throw new GraphError(
        `compile '${g.name}': there is no run-time size '${name}'; the graph has ${names.join(', ') || 'none'}`,
      );
  }
  return Object.fromEntries(
    names.map((name) => {
      const given = options.dims?.[name];
      return [
        name,
        typeof given === 'number' ? { min: given, max: given } : { min: given?.min ?? 1, max: given?.max ?? Infinity },
      ];
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
  const simple = simplifyGraph(g, options.trace);
  const fused = fuse(simple, { maxBindings: target.maxBindings, dims, join: options.fuse !== false });
  options.trace?.('fuse', fused);
  const ctx: ScheduleContext = { fused, target, dims, ...(options.tile && { tile: options.tile }) };
  const steps: PlanStep[] = fused.groups.flatMap((group) =>
    schedule(ctx, group).map((scheduled) => ({ group, scheduled })),
  );
  options.trace?.(
    'schedule',
    steps.map((s) => s.scheduled),
  );
  const { plan, ran } = assemble(g, fused, steps, target, dims);
  options.trace?.('plan', plan);
  return { plan, steps: ran, fused };
}

interface Draft {
  name: string;
  dtype: DType;
  length: Expr;
  role: BufferRole;
  first: number;
  last: number;
}

/** The plan, and those of `steps` that are in it: an operand that is still packed is not packed again. */
function assemble(
  g: Graph,
  fused: Fused,
  steps: readonly PlanStep[],
  target: Target,
  dims: Record<string, DimRange>,
): { readonly plan: Plan; readonly ran: readonly PlanStep[] } {
  const buffers: Draft[] = [];
  const index = new Map<Binding, number>();
  const taken = new Set<string>();
  /** Inputs, outputs and state are named apart from each other, buffers are not. */
  const unique = (name: string): string => {
    let free = name;
    for (let i = 2; taken.has(free); i++) free = `${name}_${i}`;
    taken.add(free);
    return free;
  };
  const add = (key: Binding, name: string, role: BufferRole): number => {
    const known = index.get(key);
    if (known !== undefined) return known;
    index.set(key, buffers.length);
    buffers.push({ name: unique(name), dtype: key.dtype, length: lengthOf(key), role, first: Infinity, last: -1 });
    return buffers.length - 1;
  };
  const constants: Record<string, Plan['constants'][string]> = {};
  const byName = new Map<string, number>();
  for (const t of topological(graphRoots(fused.graph))) {
    if (!isData(t)) continue;
    const role = t.op.name === 'input' ? 'input' : t.op.name === 'state' ? 'state' : 'constant';
    const name = role === 'constant' ? `constant${Object.keys(constants).length}` : sourceName(t);
    const key = `${role} ${name}`;
    if (byName.has(key)) {
      index.set(t, byName.get(key)!);
      continue;
    }
    const buffer = add(t, name, role);
    byName.set(key, buffer);
    if (role === 'constant') constants[buffers[buffer]!.name] = (t.attrs as { data: Plan['constants'][string] }).data;
  }

  // Where each state is read last, and which step writes its update.
  const reads = new Map<number, number>();
  const writer = new Map<Tensor, number>();
  steps.forEach(({ scheduled }, step) => {
    scheduled.bindings.forEach((b, i) => {
      const known = index.get(b);
      if (known !== undefined && scheduled.kernel.buffers[i]!.access === 'read') reads.set(known, step);
      if (!('scratch' in b) && scheduled.kernel.buffers[i]!.access !== 'read') writer.set(b, step);
    });
  });
  const copies: { readonly from: Tensor; readonly state: number }[] = [];
  const outputOf = new Map(Object.entries(fused.graph.outputs).map(([name, t]) => [t, name]));
  for (const [name, t] of Object.entries(fused.graph.updates)) {
    const state = byName.get(`state ${name}`) ?? add(g.state[name]!, name, 'state');
    byName.set(`state ${name}`, state);
    const step = writer.get(t)!;
    const last = reads.get(state) ?? -1;
    const { scheduled } = steps[step]!;
    const readHere = scheduled.bindings.some(
      (b, i) => index.get(b) === state && scheduled.kernel.buffers[i]!.access === 'read',
    );
    const safeHere = !readHere || [...scheduled.overwritable].some((x) => index.get(x) === state);
    if (last <= step && safeHere && !copies.some((c) => c.state === state)) index.set(t, state);
    else copies.push({ from: t, state });
  }
  for (const [t, name] of outputOf) add(t, name, 'output');

  const kernels: Kernel[] = [];
  const kernelIds = new Map<string, number>();
  const names = new Map<string, number>();
  const planSteps: Step[] = [];
  const writtenAt = new Map<number, number>();
  let scratchCount = 0;
  const emit = (made: Kernel, buffersOf: readonly number[]): void => {
    const { kernel, bound } = mergeAliases(made, buffersOf);
    const key = kernelKey(kernel);
    let id = kernelIds.get(key);
    if (id === undefined) {
      const optimized = optimize(decomposeKernel(kernel, target), { unroll: target.kind === 'cpu', dims });
      const ready = { ...optimized, dims: optimized.dims.filter((d) => usesName(optimized.body, d)) };
      const count = names.get(kernel.name) ?? 0;
      names.set(kernel.name, count + 1);
      id = kernels.length;
      kernels.push(count === 0 ? ready : { ...ready, name: `${kernel.name}_${count + 1}` });
      kernelIds.set(key, id);
    }
    const step = planSteps.length;
    for (const b of bound) {
      buffers[b]!.first = Math.min(buffers[b]!.first, step);
      buffers[b]!.last = Math.max(buffers[b]!.last, step);
    }
    kernel.buffers.forEach((b, i) => {
      if (b.access !== 'read') writtenAt.set(bound[i]!, step);
    });
    planSteps.push({ kernel: id, buffers: bound });
  };
  const scratchOf = new Map<string, { readonly group: Group; readonly buffer: number }>();
  const packed = new Map<string, { readonly buffer: number; readonly step: number }>();
  const ran: PlanStep[] = [];
  for (const planStep of steps) {
    const { group, scheduled } = planStep;
    const scratch = scheduled.bindings.find(
      (b): b is Scratch => 'scratch' in b && scratchOf.get(b.scratch)?.group !== group,
    );
    const operands = scheduled.bindings.flatMap((b) =>
      'scratch' in b ? [] : [add(b, `${b.op.name}${scratchCount++}`, 'scratch')],
    );
    if (scratch) {
      // A packed operand: used again where the same one was packed a few steps ago and has not been overwritten since.
      const key = `${operands.join()} ${kernelKey(scheduled.kernel)}`;
      const before = packed.get(key);
      const shared =
        before &&
        planSteps.length - before.step <= reuseWithin &&
        operands.every((b) => (writtenAt.get(b) ?? -1) < before.step);
      const buffer = shared ? before.buffer : add({ ...scratch }, `${scratch.scratch}${scratchCount++}`, 'scratch');
      scratchOf.set(scratch.scratch, { group, buffer });
      if (shared) continue;
      packed.set(key, { buffer, step: planSteps.length });
    }
    ran.push(planStep);
    emit(
      scheduled.kernel,
      scheduled.bindings.map((b) => ('scratch' in b ? scratchOf.get(b.scratch)!.buffer : index.get(b)!)),
    );
  }
  for (const { from, state } of copies) emit(copyKernel(from), [index.get(from)!, state]);

  const last = Math.max(0, planSteps.length - 1);
  const simplify = simplifier({ range: (name) => dims[name] });
  const done = buffers.map((b): PlanBuffer => ({
    name: b.name,
    dtype: b.dtype,
    length: simplify(b.length),
    role: b.role,
    live:
      b.role === 'scratch'
        ? [b.first, b.last]
        : b.role === 'input'
          ? [0, Math.max(0, b.last)]
          : b.role === 'output'
            ? [Math.min(b.first, last), last]
            : [0, last],
  }));
  const port = (t: Tensor, buffer: number): Port => ({ shape: t.shape, dtype: t.dtype, buffer });
  const ports = (record: Graph['outputs'], find: (name: string, t: Tensor) => number): Ports =>
    Object.fromEntries(Object.entries(record).map(([name, t]) => [name, port(t, find(name, t))]));
  const plan: Plan = {
    name: g.name,
    dims: Object.fromEntries(
      Object.entries(dims).map(([name, r]) => [name, { min: r.min, max: Math.min(r.max, largestSize) }]),
    ),
    // An input or state that was simplified away is still part of the program's signature.
    inputs: ports(
      g.inputs,
      (name, t) => byName.get(`input ${name}`) ?? addUnused(done, t, unique(sourceName(t)), 'input', last),
    ),
    outputs: ports(fused.graph.outputs, (_, t) => index.get(t)!),
    state: ports(
      g.state,
      (name, t) => byName.get(`state ${name}`) ?? addUnused(done, t, unique(sourceName(t)), 'state', last),
    ),
    buffers: done,
    kernels,
    steps: planSteps,
    constants,
  };
  return { plan, ran };
}

/** How many steps later an operand that was packed is used again rather than packed again. */
const reuseWithin = 16;

function addUnused(buffers: PlanBuffer[], t: Tensor, name: string, role: 'input' | 'state', last: number): number {
  buffers.push({ name, dtype: t.dtype, length: elements(t.shape), role, live: role === 'input' ? [0, 0] : [0, last] });
  return buffers.length - 1;
}

/** Copies a tensor into the state that it updates, where that could not be done in place. */
function copyKernel(t: Tensor): Kernel {
  const copy = T.make(ops.get('reshape')!, [t], { shape: t.shape });
  const group: Group = { kind: 'map', space: t.shape, members: [copy], outputs: [copy], first: 0 };
  const stored = new Map([
    [t, 'copied'],
    [copy, 'copy'],
  ]);
  const graph: Graph = { name: 'copy', inputs: {}, state: {}, outputs: { copy }, updates: {} };
  const scheduled = schedule(
    {
      fused: { graph, groups: [group], groupOf: new Map([[copy, group]]), stored, recomputed: new Map() },
      target: copyTarget,
      dims: {},
    },
    group,
  )[0]!;
  return { ...scheduled.kernel, name: 'copy' };
}
const copyTarget: Target = {
  kind: 'cpu',
  spells: new Set(),
  vectorBytes: 16,
  registers: 16,
  cacheBytes: [],
  threads: 1,
  sharedBytes: 0,
  maxWorkgroup: 1,
  maxBindings: 8,
  features: new Set(),
};

/** A buffer that a kernel reads under one name and writes under another becomes one that it updates. */
function mergeAliases(
  kernel: Kernel,
  bound: readonly number[],
): { readonly kernel: Kernel; readonly bound: readonly number[] } {
  const first = bound.map((b) => bound.indexOf(b));
  if (first.every((f, i) => f === i)) return { kernel, bound };
  const names = new Map(kernel.buffers.map((b, i) => [b.name, kernel.buffers[first[i]!]!.name]));
  const rename = (name: string): string => names.get(name) ?? name;
  const buffers = kernel.buffers.flatMap((b, i) =>
    first[i] !== i ? [] : [{ ...b, access: first.filter((f) => f === i).length > 1 ? ('update' as const) : b.access }],
  );
  return {
    kernel: { ...kernel, body: renameBuffers(kernel.body, rename), buffers },
    bound: bound.filter((_, i) => first[i] === i),
  };
}

function renameBuffers(body: readonly Stmt[], rename: (name: string) => string): Stmt[] {
  const seen = new Map<LoopExpr, LoopExpr>();
  const go = (x: LoopExpr): LoopExpr => {
    const known = seen.get(x);
    if (known) return known;
    const y = withParts(x, go);
    const out = y.k === 'load' ? load(rename(y.from), y.at, y.dtype) : y;
    seen.set(x, out);
    return out;
  };
  return body.map((s) => {
    const renamed = withExprs(s, go, (inner) => renameBuffers(inner, rename));
    return renamed.k === 'store' ? { ...renamed, to: rename(renamed.to) } : renamed;
  });
}

/** Rewrites what the target cannot spell. */
function decomposeKernel(kernel: Kernel, target: Target): Kernel {
  return { ...kernel, body: mapExprs(kernel.body, (x) => decompose(x, target.spells)) };
}

/** A text that is equal for kernels that do the same on their buffers. */
function kernelKey(kernel: Kernel): string {
  const ids = new Map<string, number>();
  const seen = new Map<LoopExpr, number>();
  const id = (x: LoopExpr): number => {
    const known = seen.get(x);
    if (known !== undefined) return known;
    const key = exprKey(x, partsOf(x).map(id).join());
    let n = ids.get(key);
    if (n === undefined) ids.set(key, (n = ids.size));
    seen.set(x, n);
    return n;
  };
  const text = (s: Stmt): string => {
    switch (s.k) {
      case 'for':
        return `for ${s.kind} ${s.name} ${id(s.count)}{${s.body.map(text).join(';')}}`;
      case 'if':
        return `if ${id(s.when)}{${s.body.map(text).join(';')}}`;
      case 'let':
        return `let ${s.name} ${id(s.value)}`;
      case 'store':
        return `store ${s.to} ${id(s.at)} ${id(s.value)}`;
      case 'alloc':
        return `alloc ${s.name} ${s.dtype} ${s.length} ${s.memory}`;
      case 'barrier':
        return 'barrier';
      default:
        return s satisfies never;
    }
  };
  const body = kernel.body.map(text).join(';');
  return `${kernel.buffers.map((b) => `${b.name}:${b.dtype}:${b.access}`).join()} ${body} ${[...ids.keys()].join('|')}`;
}
