/** What the kernel templates share: naming buffers, lowering with the group's members held, and closing a kernel. */
import type { DType, Expr, Shape, Tensor, VarExpr } from '@sinter/ir';
import { constantExpr as int, dtypeBytes, e, elements, flatIndex, substitute, variable } from '@sinter/ir';
import type { Fused } from '../fuse/fuse.ts';
import type { Group, GroupKind } from '../fuse/group.ts';
import { isData } from '../fuse/group.ts';
import type { ForStmt, Kernel, KernelBuffer, LoadExpr, LoopExpr, LoopKind, Stmt } from '../loop/language.ts';
import { load, loop as plainLoop } from '../loop/language.ts';
import { eachExpr, eachStmt, usesName } from '../loop/walk.ts';
import type { DimRanges, Lowering } from '../lower.ts';
import { lowering } from '../lower.ts';
import type { Target } from '../target.ts';
import type { Schedules } from './kernel-shape.ts';
import type { Tile } from './tiles.ts';

/** A buffer that only a schedule knows: packed operands. */
export interface Scratch {
  readonly scratch: string;
  readonly dtype: DType;
  readonly length: Expr;
}
/** What a buffer of a kernel is bound to. */
export type Binding = Tensor | Scratch;

/** A kernel and what its buffers are. */
export interface Scheduled {
  readonly kernel: Kernel;
  readonly bindings: readonly Binding[];
  /** Data that is read only at the index that is written: its buffer may be overwritten. */
  readonly overwritable: ReadonlySet<Tensor>;
  /** The tensors that are computed here, for `explain`. */
  readonly computes: readonly Tensor[];
  /** The operand that is packed here, for `explain`. */
  readonly packs?: Tensor;
}

/** What every template gets. */
export interface ScheduleContext {
  readonly fused: Fused;
  readonly target: Target;
  readonly dims: DimRanges;
  /** Overrides of the tile that the target suggests. */
  readonly tile?: Partial<Tile>;
  /** Schedules of some kernel shapes; they go before {@link ScheduleContext.tile}. */
  readonly schedules?: Schedules;
}

/** The templates of a kind of target: for each kernel class, the kernels that compute a group, in the order in which they run. */
export type Templates = {
  readonly [K in GroupKind]: (ctx: ScheduleContext, group: Group) => readonly Scheduled[];
};

/** Integer arithmetic on loop expressions, short. */
export const ix = {
  add: e.add<LoadExpr>,
  sub: e.sub<LoadExpr>,
  mul: e.mul<LoadExpr>,
  div: e.div<LoadExpr>,
  mod: e.mod<LoadExpr>,
  min: e.min<LoadExpr>,
  lt: e.lt<LoadExpr>,
  int: (n: number): LoopExpr => int(n),
  ceilDiv: (a: LoopExpr, b: number): LoopExpr => e.div<LoadExpr>(e.add<LoadExpr>(a, int(b - 1)), int(b)),
  product: (xs: readonly LoopExpr[]): LoopExpr => xs.reduce((a, b) => e.mul<LoadExpr>(a, b), int(1) as LoopExpr),
};

/** A name of a kernel's own: never that of a run-time size, which begins with a letter. */
export function local(name: string): string {
  return `_${name}`;
}
/** A variable of a kernel's own. */
export function v(name: string, dtype: DType = 'i32'): VarExpr {
  return variable(local(name), dtype);
}
/** A loop with a counter of the kernel's own. */
export function loop(
  kind: LoopKind,
  name: string,
  count: LoopExpr,
  body: (counter: VarExpr) => readonly Stmt[],
): ForStmt {
  return plainLoop(kind, local(name), count, body);
}

/** What a template knows of a kernel that it closes. */
export interface CloseOptions {
  /** The buffers that must not be overwritten, where the others are read only at the index that is written. */
  readonly keep?: ReadonlySet<string>;
  readonly computes?: readonly Tensor[];
  readonly packs?: Tensor;
}

/** A kernel in the making. */
export interface Draft {
  readonly low: Lowering;
  /** The name of a buffer, declared at its first use. */
  buffer(b: Binding, access: KernelBuffer['access']): string;
  /** The number behind an expression, if it is one. */
  fixed(x: LoopExpr): number | undefined;
  close(name: string, body: readonly Stmt[], flops: LoopExpr, extra?: CloseOptions): Scheduled;
}

/** Starts a kernel for a group; `held` tells which tensors are in registers, `recomputed` are computed again though they are stored. */
export function draft(
  ctx: ScheduleContext,
  group: Group | undefined,
  held: (t: Tensor, at: readonly LoopExpr[]) => LoopExpr | undefined = () => undefined,
  recomputed?: ReadonlySet<Tensor>,
): Draft {
  const bindings = new Map<Binding, KernelBuffer>();
  const buffer = (b: Binding, access: KernelBuffer['access']): string => {
    const known = bindings.get(b);
    if (known) return known.name;
    const written = access !== 'read';
    const count = [...bindings.values()].filter((x) => (x.access !== 'read') === written).length;
    const name = `${written ? 'out' : 'in'}${count}`;
    bindings.set(b, { name, dtype: b.dtype, access });
    return name;
  };
  const { groupOf, stored } = ctx.fused;
  const low = lowering({
    dims: ctx.dims,
    held,
    isStored: (t) => isData(t) || (stored.has(t) && groupOf.get(t) !== group && !recomputed?.has(t)),
    buffer: (t) => buffer(t, 'read'),
  });
  return {
    low,
    buffer,
    fixed(x) {
      const s = low.simplify(x);
      return s.k === 'const' ? s.value : undefined;
    },
    close(name, body, flops, extra = {}) {
      const buffers = [...bindings.values()];
      const bytes = [...bindings].map(([b, k]) =>
        e.mul(
          low.simplify(lengthOf(b) as LoopExpr) as Expr,
          int(dtypeBytes[b.dtype] * (k.access === 'update' ? 2 : 1)),
        ),
      );
      return {
        kernel: {
          name,
          buffers,
          dims: Object.keys(ctx.dims).filter((d) => usesName(body, d)),
          workgroup: [threadsOf(body), 1, 1],
          body,
          // Not simplified: the simplifier counts as kernels do, in 32 bits.
          cost: { flops: flops as Expr, bytes: bytes.reduce((a, b) => e.add(a, b), int(0) as Expr) },
        },
        bindings: [...bindings.keys()],
        overwritable: new Set(
          extra.keep
            ? [...bindings].flatMap(([b, k]) =>
                'scratch' in b || k.access !== 'read' || extra.keep!.has(k.name) ? [] : [b],
              )
            : [],
        ),
        computes: extra.computes ?? group?.members ?? [],
        ...(extra.packs && { packs: extra.packs }),
      };
    },
  };
}

/** The threads of a workgroup: the count of the `local` loop, one where there is none. */
function threadsOf(body: readonly Stmt[]): number {
  let threads = 1;
  eachStmt(body, (s) => {
    if (s.k === 'for' && s.kind === 'local' && s.count.k === 'const') threads = s.count.value;
  });
  return threads;
}

/** The number of elements behind a binding. */
export function lengthOf(b: Binding): Expr {
  return 'scratch' in b ? b.length : elements(b.shape);
}

/** `x` with counters (by their names before {@link local}) replaced by what they are computed from. */
export function replace(x: LoopExpr, values: Readonly<Record<string, LoopExpr>>): LoopExpr {
  const go = (y: LoopExpr): LoopExpr =>
    substitute<LoadExpr, LoadExpr>(y, (leaf: VarExpr | LoadExpr) => {
      if (leaf.k === 'var') return (leaf.name.startsWith('_') ? values[leaf.name.slice(1)] : undefined) ?? leaf;
      return load(leaf.from, go(leaf.at), leaf.dtype);
    });
  return go(x);
}

/** The buffers that are read elsewhere than at `position`: those must not be overwritten. */
export function readElsewhere(values: readonly LoopExpr[], position: LoopExpr): Set<string> {
  const names = new Set<string>();
  eachOf(values, (x) => {
    if (x.k === 'load' && x.at !== position) names.add(x.from);
  });
  return names;
}

/** Visits every distinct expression inside of some. */
export function eachOf(xs: readonly LoopExpr[], visit: (x: LoopExpr) => void): void {
  const seen = new Set<LoopExpr>();
  for (const x of xs) eachExpr(x, visit, seen);
}

/** Whether an expression depends on a name. */
export function dependsOn(x: LoopExpr, name: string): boolean {
  let used = false;
  eachExpr(x, (part) => {
    used ||= part.k === 'var' && part.name === name;
  });
  return used;
}

/** Whether the next element along a counter (by its name before {@link local}) lies next in memory, for some load of a value. */
export function isStep(d: Draft, value: LoopExpr, counter: string): boolean {
  let step = false;
  eachOf([value], (x) => {
    if (x.k !== 'load') return;
    const next = replace(x.at, { [counter]: ix.add(v(counter), ix.int(1)) });
    const by = d.low.simplify(ix.sub(next, x.at));
    step ||= by.k === 'const' && by.value === 1;
  });
  return step;
}

/** The number of scalar operations in expressions, shared parts once: an estimate of the work of one element. */
export function operations(xs: readonly LoopExpr[]): number {
  let count = 0;
  eachOf(xs, (x) => {
    if (x.k === 'op') count++;
  });
  return count;
}

/** What a kernel stores: where, and what. */
export interface Output {
  readonly to: string;
  readonly at: LoopExpr;
  readonly value: LoopExpr;
}

/** The outputs of a group at an index of its space. What is read is named before what is written. */
export function outputsAt(d: Draft, group: Group, at: readonly LoopExpr[]): Output[] {
  const position = d.low.simplify(flatIndex(group.space, at as readonly Expr[]));
  const values = group.outputs.map((t) => d.low.at(t, at));
  return group.outputs.map((t, i) => ({ to: d.buffer(t, 'write'), at: position, value: values[i]! }));
}

/** Values into lets and then into their buffers: all loads come before the first store, which may overwrite what was loaded. */
export function storeAll(outputs: readonly Output[]): Stmt[] {
  if (outputs.length === 1) return [{ k: 'store', ...outputs[0]! }];
  return [
    ...outputs.map((o, i): Stmt => ({ k: 'let', name: local(`value${i}`), value: o.value })),
    ...outputs.map((o, i): Stmt => ({
      k: 'store',
      to: o.to,
      at: o.at,
      value: v(`value${i}`, (o.value as { dtype: DType }).dtype),
    })),
  ];
}

/** A readable name for a kernel: what it is, and the ops that it computes, in order, each once. */
export function kernelName(kind: string, fused: Fused, members: readonly Tensor[]): string {
  const names = new Set<string>();
  const seen = new Set<Tensor>();
  const visit = (t: Tensor, top: boolean): void => {
    if (seen.has(t) || isData(t) || (!top && fused.stored.has(t) && !members.includes(t))) return;
    seen.add(t);
    t.inputs.forEach((x) => {
      visit(x, false);
    });
    if (t.op.kind !== 'view' && t.op.kind !== 'source') names.add(t.op.name);
  };
  members.forEach((t) => {
    visit(t, true);
  });
  const list = [...names];
  return [kind, ...(list.length > 6 ? [...list.slice(0, 3), `${list.length - 5}more`, ...list.slice(-2)] : list)].join(
    '_',
  );
}

/** Shape helpers of templates. */
export function lastOf(shape: Shape): { readonly outer: Shape; readonly last: Shape[number] } {
  return { outer: shape.slice(0, -1), last: shape.at(-1) ?? 1 };
}
