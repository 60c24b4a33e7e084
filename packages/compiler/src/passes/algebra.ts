/** Local algebra: constants folded, identities removed (also what only `gradients` reads), chains of views joined. */
import type { Expr, Graph } from '@sinter/ir';
import { broadcastShapes, constantExpr, full, ops, sameShape, simplifier, Tensor } from '@sinter/ir';
import { rewriteGraph } from './rewrite.ts';

const fullOp = ops.get('full')!;
const simplify = simplifier({ range: () => undefined });

function constantOf(t: Tensor): number | undefined {
  return t.op === fullOp ? (t.attrs as { value: number }).value : undefined;
}

/** A map over constants is a constant. */
function fold(t: Tensor): Tensor | undefined {
  if (t.op.kind !== 'map' || !t.inputs.every((x) => x.op === fullOp)) return undefined;
  const args: Expr[] = t.inputs.map((x) => constantExpr(constantOf(x)!, x.dtype));
  const value = simplify(t.op.scalar(args, t.attrs));
  return value.k === 'const' ? full(t.shape, value.value, t.dtype) : undefined;
}

/** `x + 0`, `x · 1` and their like are `x`, where broadcasting does not change its shape. */
function identity(t: Tensor): Tensor | undefined {
  const [a, b] = t.inputs;
  const keep = (x: Tensor): Tensor | undefined => (sameShape(x.shape, t.shape) ? x : undefined);
  switch (t.op.name) {
    case 'add':
      return constantOf(b!) === 0 ? keep(a!) : constantOf(a!) === 0 ? keep(b!) : undefined;
    case 'sub':
      return constantOf(b!) === 0 ? keep(a!) : undefined;
    case 'mul':
      return constantOf(b!) === 1 ? keep(a!) : constantOf(a!) === 1 ? keep(b!) : undefined;
    case 'div':
      return constantOf(b!) === 1 ? keep(a!) : undefined;
    case 'stopGradient':
    case 'checkpoint':
      return a;
    case 'barrier':
      return t.inputs.length === 1 ? a : undefined;
    case 'neg':
      return a!.op === t.op ? a!.inputs[0] : undefined;
    default:
      return undefined;
  }
}

/** A map broadcasts by itself: an explicit broadcast of an operand is not needed where the shape stays. */
function implicitBroadcast(t: Tensor): Tensor | undefined {
  if (t.op.kind !== 'map' || !t.inputs.some((x) => x.op.name === 'broadcastTo')) return undefined;
  const inputs = [...t.inputs];
  let changed = false;
  inputs.forEach((x, i) => {
    if (x.op.name !== 'broadcastTo') return;
    const bare = inputs.with(i, x.inputs[0]!);
    if (
      !sameShape(
        broadcastShapes(
          t.op.name,
          bare.map((y) => y.shape),
        ),
        t.shape,
      )
    )
      return;
    inputs[i] = x.inputs[0]!;
    changed = true;
  });
  return changed ? Tensor.make(t.op, inputs, t.attrs) : undefined;
}

/** Views of views: reshapes and transposes join, those that change nothing go. */
function joinViews(t: Tensor): Tensor | undefined {
  const [x] = t.inputs;
  if (t.op.name === 'reshape') {
    if (sameShape(x!.shape, t.shape)) return x;
    if (x!.op === t.op)
      return joinViews(Tensor.make(t.op, x!.inputs, t.attrs)) ?? Tensor.make(t.op, x!.inputs, t.attrs);
    if (x!.op === fullOp) return full(t.shape, constantOf(x!)!, t.dtype);
  }
  if (t.op.name === 'transpose') {
    const { perm } = t.attrs as { perm: readonly number[] };
    if (perm.every((p, i) => p === i)) return x;
    if (x!.op === t.op) {
      const inner = (x!.attrs as { perm: readonly number[] }).perm;
      const joined = Tensor.make(t.op, x!.inputs, { perm: perm.map((p) => inner[p]!) });
      return joinViews(joined) ?? joined;
    }
  }
  if (t.op.name === 'broadcastTo') {
    if (sameShape(x!.shape, t.shape)) return x;
    if (x!.op === fullOp) return full(t.shape, constantOf(x!)!, t.dtype);
  }
  return undefined;
}

/** Simplifies node by node; the meaning stays, up to `−0`. */
export function algebra(g: Graph): Graph {
  return rewriteGraph(g, (t) => fold(t) ?? identity(t) ?? implicitBroadcast(t) ?? joinViews(t) ?? t);
}
