/**
 * From tensors to expressions: the value of a tensor at an index, in loads from what is stored. The table has one entry
 * per kind of op, never per op.
 */
import type { Dim, Expr, OpKind, Tensor, ViewIndex } from '@sinter/ir';
import { broadcastIndex, constantExpr as int, dimExpr, e, flatIndex, simplifier } from '@sinter/ir';
import type { LoadExpr, LoopExpr } from './loop/language.ts';
import { load } from './loop/language.ts';

/** Ranges of run-time sizes, as far as they are known. */
export type DimRanges = Readonly<Record<string, { readonly min: number; readonly max: number }>>;

/** The state of lowering one kernel: counters in scope, and how members of the kernel are read. */
export interface Lowering {
  /** Declares a counter with its (symbolic) count. */
  counter(name: string, count: LoopExpr): void;
  simplify(x: LoopExpr): LoopExpr;
  /** The value of a tensor at an index. */
  at(t: Tensor, index: readonly LoopExpr[]): LoopExpr;
  /** The name under which a stored tensor's buffer is known in this kernel. */
  buffer(t: Tensor): string;
}

/** What a kernel template decides for itself. */
export interface LoweringOptions {
  readonly dims: DimRanges;
  /** Ranges of other names that the template defines. */
  readonly lets?: DimRanges;
  /** The value of a tensor that this kernel holds in registers, or `undefined` to compute it from its operands. */
  readonly held: (t: Tensor, index: readonly LoopExpr[]) => LoopExpr | undefined;
  /** Whether a tensor is read from a buffer. */
  readonly isStored: (t: Tensor) => boolean;
  /** Names a buffer at its first use. */
  readonly buffer: (t: Tensor) => string;
}

type Rule = (t: Tensor, at: readonly LoopExpr[], read: (x: Tensor, at: readonly LoopExpr[]) => LoopExpr) => LoopExpr;

const asLoop = (x: Expr): LoopExpr => x as LoopExpr;
const zero = int(0);

/** Clamps an index into `[0, size)`. */
function clamp(index: LoopExpr, size: Dim): LoopExpr {
  return e.max<LoadExpr>(e.min<LoadExpr>(index, e.sub<LoadExpr>(asLoop(dimExpr(size)), int(1))), zero);
}

function kindOnly(kind: OpKind): Rule {
  return (t) => {
    throw new Error(`${String(t)}: a ${kind} is computed by a kernel of its own and never inlined`);
  };
}

/** How each kind of op is read at an index. Total: a kind without a rule does not compile. */
export const rules: { readonly [K in OpKind]: Rule } = {
  map(t, at, read) {
    const { op } = t;
    if (op.kind !== 'map') throw new TypeError();
    const args = t.inputs.map((x) => read(x, broadcastIndex(x.shape, at as readonly Expr[]) as LoopExpr[]));
    return op.scalar(args as Expr[], t.attrs);
  },
  view(t, at, read) {
    const { op } = t;
    if (op.kind !== 'view') throw new TypeError();
    const parts: readonly ViewIndex[] = op.index(at as readonly Expr[], t);
    let out: LoopExpr | undefined;
    for (const [i, part] of [...parts.entries()].reverse()) {
      const x = t.inputs[i]!;
      if (!part.when) {
        out = read(x, part.at);
        continue;
      }
      // Where the view does not read this operand the address must still be one that exists.
      const safe = part.at.map((a, d) => clamp(a, x.shape[d]!));
      out = e.select<LoadExpr>(part.when, read(x, safe), out ?? int(0, t.dtype));
    }
    return out ?? int(0, t.dtype);
  },
  source(t, at) {
    const { op } = t;
    if (op.kind !== 'source' || !op.value) throw new TypeError(`${String(t)} is data and read from its buffer`);
    return op.value(at as readonly Expr[], t);
  },
  random(t, at, read) {
    const { op } = t;
    if (op.kind !== 'random') throw new TypeError();
    const key = t.inputs[0]!;
    return op.value(
      flatIndex(t.shape, at as readonly Expr[]),
      [read(key, [int(0)]), read(key, [int(1)])] as [Expr, Expr],
      t.attrs,
    );
  },
  gather(t, at, read) {
    const [table, indices] = t.inputs as [Tensor, Tensor];
    const rank = indices.shape.length;
    const row = clamp(read(indices, at.slice(0, rank)), table.shape[0]!);
    return read(table, [row, ...at.slice(rank)]);
  },
  update(t, at, read) {
    const [base, value, start] = t.inputs as [Tensor, Tensor, Tensor];
    let inside: LoopExpr = int(1, 'bool');
    const offsets = at.map((a, d) => {
      const offset = e.sub<LoadExpr>(a, read(start, [int(d)]));
      const within = e.and<LoadExpr>(
        e.le<LoadExpr>(zero, offset),
        e.lt<LoadExpr>(offset, asLoop(dimExpr(value.shape[d]!))),
      );
      inside = e.and<LoadExpr>(inside, within);
      return clamp(offset, value.shape[d]!);
    });
    return e.select<LoadExpr>(inside, read(value, offsets), read(base, at));
  },
  reduce: kindOnly('reduce'),
  contract: kindOnly('contract'),
  scatter: kindOnly('scatter'),
};

/** Starts the lowering of one kernel. */
export function lowering(options: LoweringOptions): Lowering {
  const counts = new Map<string, LoopExpr>();
  const simplify = simplifier<LoadExpr>({
    range(name) {
      const count = counts.get(name);
      if (count)
        return { min: 0, max: count.k === 'const' ? Math.max(0, count.value - 1) : Infinity, count: count as Expr };
      const dim = options.dims[name];
      return dim ?? options.lets?.[name];
    },
    leaf: (leaf, go) => {
      const at = go(leaf.at);
      return at === leaf.at ? leaf : load(leaf.from, at, leaf.dtype);
    },
    leafKey: (leaf, key) => `${leaf.from}[${key(leaf.at)}]`,
  });
  const known = new Map<Tensor, Map<string, LoopExpr>>();
  const ids = new Map<LoopExpr, number>();
  const id = (x: LoopExpr): number => {
    const found = ids.get(x);
    if (found !== undefined) return found;
    ids.set(x, ids.size);
    return ids.size - 1;
  };

  const read = (t: Tensor, index: readonly LoopExpr[]): LoopExpr => {
    // A tensor without elements is never really read, and its buffer has no address to read from.
    if (t.shape.includes(0)) return int(0, t.dtype);
    const at = index.map(simplify);
    const key = at.map(id).join();
    let values = known.get(t);
    if (!values) known.set(t, (values = new Map()));
    const found = values.get(key);
    if (found) return found;
    const value =
      options.held(t, at) ??
      (options.isStored(t)
        ? load(options.buffer(t), simplify(flatIndex(t.shape, at as readonly Expr[])), t.dtype)
        : rules[t.op.kind](t, at, read));
    const out = simplify(value);
    values.set(key, out);
    return out;
  };
  return {
    counter: (name, count) => {
      counts.set(name, simplify(count));
    },
    simplify,
    at: read,
    buffer: options.buffer,
  };
}

/** Sizes as expressions. */
export function dimsOf(shape: readonly Dim[]): LoopExpr[] {
  return shape.map((d) => asLoop(dimExpr(d)));
}

/** Whether two indices are the same, after simplification. */
export function sameIndex(low: Lowering, a: LoopExpr, b: LoopExpr): boolean {
  return low.simplify(a) === low.simplify(b);
}
