/**
 * From kernels in order to a plan: buffers with lifetimes, state updated in place where nothing reads it later, kernels that
 * do the same made once.
 */
import type { DType, Expr, Graph, Tensor } from '@sinter/ir';
import { dimProduct, elements, graphRoots, simplifier, sourceName, topological } from '@sinter/ir';
import type { BufferRole, DimRange, PlanBuffer, Port, Ports, Step } from './artifact/format.ts';
import { copyOf } from './copy.ts';
import type { Group } from './fuse/group.ts';
import { isData } from './fuse/group.ts';
import type { Kernel } from './loop/language.ts';
import { invariantSteps } from './invariant.ts';
import { finishKernel, kernelKey, mergeAliases } from './loop/finish.ts';
import type { Plan } from './plan.ts';
import type { Binding, Scheduled, ScheduleContext } from './schedule/draft.ts';
import { lengthOf } from './schedule/draft.ts';

/** What is known of each step, for `explain`. */
export interface PlanStep {
  readonly group: Group;
  readonly scheduled: Scheduled;
}

/** Sizes are counted in `i32`. While compiling, a size without a limit is taken as unbounded: sizes never wrap. */
const largestSize = 2147483647;
/** How many steps later an operand that was packed is used again rather than packed again, if it is not kept anyway. */
const reuseWithin = 16;

/**
 * The plan, and those of its steps that come from groups. An operand that is still packed is not packed again. With `prepare`,
 * steps that give the same in every run come first.
 */
export function assemble(
  g: Graph,
  ctx: ScheduleContext,
  scheduled: readonly PlanStep[],
  { prepare }: { readonly prepare: boolean },
): { readonly plan: Plan; readonly ran: readonly PlanStep[] } {
  const once = prepare ? invariantSteps(scheduled, ctx) : new Set<PlanStep>();
  const [first, rest] = [[...once], scheduled.filter((step) => !once.has(step))];
  const steps = [...first, ...rest];
  const buffers = newBuffers();
  const constants = addData(buffers, ctx.fused.graph);
  const copies = placeUpdates(buffers, g, ctx.fused.graph, steps);
  for (const [name, t] of Object.entries(ctx.fused.graph.outputs)) add(buffers, t, name, 'output');
  const program: Program = { kernels: [], ids: new Map(), names: new Map(), steps: [], writtenAt: new Map() };
  const lastOf = lastSteps(
    steps,
    copies.map(({ from }) => from),
  );
  const prepared = emitAll(program, buffers, ctx, first, { within: Infinity, lastOf });
  const ran = [...prepared, ...emitAll(program, buffers, ctx, rest, { within: reuseWithin, lastOf })];
  for (const { from, state } of copies) emit(program, buffers, ctx, copyOf(from, ctx), [buffers.of.get(from)!, state]);

  const last = Math.max(0, program.steps.length - 1);
  const { dims } = ctx;
  const plan: Plan = {
    name: g.name,
    dims: Object.fromEntries(
      Object.entries(dims).map(([name, r]) => [name, { min: r.min, max: Math.min(r.max, largestSize) }]),
    ),
    ...ports(buffers, g, ctx.fused.graph),
    buffers: withLifetimes(buffers, last, dims),
    kernels: program.kernels,
    steps: program.steps,
    ...(prepared.length > 0 && { prepare: prepared.length }),
    constants,
  };
  return { plan, ran };
}

// ---- buffers

interface Buffer {
  readonly name: string;
  readonly dtype: DType;
  readonly length: Expr;
  readonly role: BufferRole;
  /** The first and last step that touch it. */
  first: number;
  last: number;
}
interface Buffers {
  readonly list: Buffer[];
  /** The buffer of everything that kernels are bound to. */
  readonly of: Map<Binding, number>;
  /** The buffers of inputs and state, by role and name. */
  readonly named: Map<string, number>;
  /** Inputs, outputs and state are named apart from each other, buffers are not. */
  readonly taken: Set<string>;
}

function newBuffers(): Buffers {
  return { list: [], of: new Map(), named: new Map(), taken: new Set() };
}

function unique({ taken }: Buffers, name: string): string {
  let free = name;
  for (let i = 2; taken.has(free); i++) free = `${name}_${i}`;
  taken.add(free);
  return free;
}

/** The buffer of a binding, made at its first use. */
function add(buffers: Buffers, of: Binding, name: string, role: BufferRole): number {
  const known = buffers.of.get(of);
  if (known !== undefined) return known;
  const { list } = buffers;
  buffers.of.set(of, list.length);
  list.push({ name: unique(buffers, name), dtype: of.dtype, length: lengthOf(of), role, first: Infinity, last: -1 });
  return list.length - 1;
}

/** The buffers of all data that the graph reads. Returns the constants. */
function addData(buffers: Buffers, graph: Graph): Record<string, Plan['constants'][string]> {
  const constants: Record<string, Plan['constants'][string]> = {};
  for (const t of topological(graphRoots(graph))) {
    if (!isData(t)) continue;
    const role = t.op.name === 'input' ? 'input' : t.op.name === 'state' ? 'state' : 'constant';
    const name = role === 'constant' ? `constant${Object.keys(constants).length}` : sourceName(t);
    const key = `${role} ${name}`;
    const known = buffers.named.get(key);
    if (known !== undefined) {
      buffers.of.set(t, known);
      continue;
    }
    const buffer = add(buffers, t, name, role);
    buffers.named.set(key, buffer);
    if (role === 'constant')
      constants[buffers.list[buffer]!.name] = (t.attrs as { data: Plan['constants'][string] }).data;
  }
  return constants;
}

interface Copy {
  readonly from: Tensor;
  readonly state: number;
}

/** Puts each update into the buffer of its state if nothing reads the old value afterwards; returns what is copied at the end instead. */
function placeUpdates(buffers: Buffers, g: Graph, graph: Graph, steps: readonly PlanStep[]): Copy[] {
  const lastRead = new Map<number, number>();
  const writer = new Map<Tensor, number>();
  steps.forEach(({ scheduled }, step) => {
    scheduled.bindings.forEach((b, i) => {
      const known = buffers.of.get(b);
      const { access } = scheduled.kernel.buffers[i]!;
      if (known !== undefined && access === 'read') lastRead.set(known, step);
      if (!('scratch' in b) && access !== 'read') writer.set(b, step);
    });
  });
  const copies: Copy[] = [];
  for (const [name, t] of Object.entries(graph.updates)) {
    const state = buffers.named.get(`state ${name}`) ?? add(buffers, g.state[name]!, name, 'state');
    buffers.named.set(`state ${name}`, state);
    const step = writer.get(t)!;
    const { kernel, bindings, overwritable } = steps[step]!.scheduled;
    const readHere = bindings.some((b, i) => buffers.of.get(b) === state && kernel.buffers[i]!.access === 'read');
    const safeHere = !readHere || [...overwritable].some((x) => buffers.of.get(x) === state);
    if ((lastRead.get(state) ?? -1) <= step && safeHere && !copies.some((c) => c.state === state))
      buffers.of.set(t, state);
    else copies.push({ from: t, state });
  }
  return copies;
}

/** The buffers as the plan has them. */
function withLifetimes({ list }: Buffers, last: number, dims: Readonly<Record<string, DimRange>>): PlanBuffer[] {
  const simplify = simplifier({ range: (name) => dims[name] });
  const live = (b: Buffer): PlanBuffer['live'] => {
    if (b.role === 'scratch') return [b.first, b.last];
    if (b.role === 'input') return [0, Math.max(0, b.last)];
    return b.role === 'output' ? [Math.min(b.first, last), last] : [0, last];
  };
  return list.map((b) => ({ name: b.name, dtype: b.dtype, length: simplify(b.length), role: b.role, live: live(b) }));
}

/** Inputs, outputs and state. One that was simplified away is still part of the program's signature. */
function ports(buffers: Buffers, g: Graph, graph: Graph): Pick<Plan, 'inputs' | 'outputs' | 'state'> {
  const unused = (t: Tensor, role: 'input' | 'state'): number => {
    const { list } = buffers;
    const name = unique(buffers, sourceName(t));
    list.push({ name, dtype: t.dtype, length: elements(t.shape), role, first: 0, last: 0 });
    return list.length - 1;
  };
  const record = (of: Graph['outputs'], find: (name: string, t: Tensor) => number): Ports =>
    Object.fromEntries(
      Object.entries(of).map(([name, t]): [string, Port] => [
        name,
        { shape: t.shape, dtype: t.dtype, buffer: find(name, t) },
      ]),
    );
  return {
    inputs: record(g.inputs, (name, t) => buffers.named.get(`input ${name}`) ?? unused(t, 'input')),
    outputs: record(graph.outputs, (_, t) => buffers.of.get(t)!),
    state: record(g.state, (name, t) => buffers.named.get(`state ${name}`) ?? unused(t, 'state')),
  };
}

// ---- steps

interface Program {
  readonly kernels: Kernel[];
  /** Kernels by what they do, and how often a name was given. */
  readonly ids: Map<string, number>;
  readonly names: Map<string, number>;
  readonly steps: Step[];
  /** The step that wrote each buffer last. */
  readonly writtenAt: Map<number, number>;
}

/** The step that binds each tensor last; those of `kept` are needed after all steps. */
function lastSteps(steps: readonly PlanStep[], kept: readonly Tensor[]): ReadonlyMap<Binding, PlanStep> {
  const last = new Map<Binding, PlanStep>();
  for (const step of steps) for (const b of step.scheduled.bindings) last.set(b, step);
  for (const t of kept) last.delete(t);
  return last;
}

/**
 * Puts results of a step where operands lie that nothing reads afterwards and that are read only at the index that is written, as
 * state is that is updated in place. Only what was written from step `since` on: what is prepared outlives the run.
 */
function writeInPlace(buffers: Buffers, step: PlanStep, lastOf: ReadonlyMap<Binding, PlanStep>, since: number): void {
  const { kernel, bindings, overwritable } = step.scheduled;
  const free = new Set(
    [...overwritable].filter((x) => {
      const buffer = buffers.list[buffers.of.get(x) ?? -1];
      return lastOf.get(x) === step && buffer?.role === 'scratch' && buffer.first >= since;
    }),
  );
  bindings.forEach((b, i) => {
    if ('scratch' in b || buffers.of.has(b) || kernel.buffers[i]!.access === 'read') return;
    for (const x of free) {
      if (x.dtype !== b.dtype || dimProduct(x.shape) !== dimProduct(b.shape)) continue;
      buffers.of.set(b, buffers.of.get(x)!);
      free.delete(x);
      return;
    }
  });
}

/** Adds all steps, less those whose result is still there, or was `within` so many steps. Returns those that it added. */
function emitAll(
  program: Program,
  buffers: Buffers,
  ctx: ScheduleContext,
  steps: readonly PlanStep[],
  { within, lastOf }: { readonly within: number; readonly lastOf: ReadonlyMap<Binding, PlanStep> },
): readonly PlanStep[] {
  const made = new Map<string, { readonly buffers: readonly number[]; readonly step: number }>();
  const since = program.steps.length;
  let count = since;
  return steps.filter((planned) => {
    const { kernel, bindings } = planned.scheduled;
    writeInPlace(buffers, planned, lastOf, since);
    const read: number[] = [];
    for (const b of bindings) if (!('scratch' in b)) read.push(add(buffers, b, `${b.op.name}${count++}`, 'scratch'));
    const results = bindings.flatMap((b) => ('scratch' in b && !buffers.of.has(b) ? [b] : []));
    if (results.length > 0) {
      // A packed operand: used again where the same one was packed a few steps ago and has not been overwritten since.
      const key = `${read.join()} ${kernelKey(kernel)}`;
      const before = made.get(key);
      const step = program.steps.length;
      if (before && step - before.step <= within && read.every((b) => (program.writtenAt.get(b) ?? -1) < before.step)) {
        results.forEach((b, i) => buffers.of.set(b, before.buffers[i]!));
        return false;
      }
      made.set(key, { buffers: results.map((b) => add(buffers, b, `${b.scratch}${count++}`, 'scratch')), step });
    }
    emit(
      program,
      buffers,
      ctx,
      kernel,
      bindings.map((b) => buffers.of.get(b)!),
    );
    return true;
  });
}

/** Adds a step. */
function emit(
  program: Program,
  { list }: Buffers,
  ctx: ScheduleContext,
  made: Kernel,
  buffersOf: readonly number[],
): void {
  // A region keeps its three buffers, even where both operands are one.
  const { kernel, bound } = made.region ? { kernel: made, bound: buffersOf } : mergeAliases(made, buffersOf);
  const { kernels, ids, names, steps, writtenAt } = program;
  const key = kernelKey(kernel);
  let id = ids.get(key);
  if (id === undefined) {
    const count = names.get(kernel.name) ?? 0;
    names.set(kernel.name, count + 1);
    const ready = finishKernel(kernel, ctx.target, ctx.dims);
    ids.set(key, (id = kernels.length));
    kernels.push(count === 0 ? ready : { ...ready, name: `${kernel.name}_${count + 1}` });
  }
  const step = steps.length;
  for (const b of bound) {
    list[b]!.first = Math.min(list[b]!.first, step);
    list[b]!.last = Math.max(list[b]!.last, step);
  }
  kernel.buffers.forEach((b, i) => {
    if (b.access !== 'read') writtenAt.set(bound[i]!, step);
  });
  steps.push({ kernel: id, buffers: bound });
}
