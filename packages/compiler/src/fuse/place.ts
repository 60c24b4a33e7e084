/** Whether a tensor can be computed in a group's kernel: over the same space, reading the group's members at its own place only. */
import type { ReduceAttrs, Shape, Tensor } from '@sinter/ir';
import { sameShape } from '@sinter/ir';
import type { Group } from './group.ts';
import { isData } from './group.ts';

/** Whether `t` is computed over the space of `g`: a quick look, before {@link fits}. */
export function hasPlaceFor(g: Group, t: Tensor): boolean {
  if (g.kind === 'scatter' || g.kind === 'update' || g.region) return false;
  if (t.op.kind !== 'reduce') return placesOf(g).some((s) => sameShape(s, t.shape));
  const { shape } = t.inputs[0]!;
  const { axes } = t.attrs as ReduceAttrs;
  if (g.kind === 'row') return sameShape(shape, g.full!) && axes.length === 1 && axes[0] === shape.length - 1;
  return g.kind === 'column' && sameShape(shape, g.reduced!.shape) && sameShape(axes, g.reduced!.axes);
}

/** Whether `t` can be computed in the kernel of `g`: over its space, and reading its members only at the same place. */
export function fits(
  g: Group,
  t: Tensor,
  isMember: (x: Tensor) => boolean,
  stored: ReadonlyMap<Tensor, string>,
): boolean {
  if (!hasPlaceFor(g, t)) return false;
  return t.op.kind === 'reduce' && g.kind === 'column'
    ? independent(t, isMember, stored)
    : aligned(g, t, isMember, stored);
}

/** The shapes that have one element per point of the group's space: `[rows]` and `[rows, 1]`, and for rows the full shape. */
function placesOf(g: Group): Shape[] {
  switch (g.kind) {
    case 'row':
      return [g.full!, g.space, [...g.space, 1]];
    case 'map':
    case 'contract':
    case 'column':
      return [g.space];
    case 'scatter':
    case 'update':
      return [];
    default:
      return g.kind satisfies never;
  }
}

function independent(t: Tensor, isMember: (x: Tensor) => boolean, stored: ReadonlyMap<Tensor, string>): boolean {
  return t.inputs.every((x) => (stored.has(x) || isData(x) ? !isMember(x) : independent(x, isMember, stored)));
}

/** Whether `t` reads the members of the group only at its own place in the group's space. */
function aligned(g: Group, t: Tensor, isMember: (x: Tensor) => boolean, stored: ReadonlyMap<Tensor, string>): boolean {
  const known = new Map<Tensor, 'no member' | 'aligned' | 'misaligned'>();
  const look = (x: Tensor): 'no member' | 'aligned' | 'misaligned' => {
    const found = known.get(x);
    if (found) return found;
    let out: 'no member' | 'aligned' | 'misaligned' = 'no member';
    for (const y of x.inputs) {
      const below = isMember(y) ? 'aligned' : stored.has(y) || isData(y) ? 'no member' : look(y);
      if (below === 'no member') continue;
      out = below === 'aligned' && keepsPlace(g, x, y) ? 'aligned' : 'misaligned';
      if (out === 'misaligned') break;
    }
    known.set(x, out);
    return out;
  };
  return look(t) !== 'misaligned';
}

/** Whether `x` reads its operand `y` at its own place: the same element, or in row groups the value of its row. */
function keepsPlace(g: Group, x: Tensor, y: Tensor): boolean {
  const column = [...g.space, 1];
  const isRow = (s: Shape): boolean => sameShape(s, g.space) || sameShape(s, column);
  switch (x.op.kind) {
    case 'reduce':
      return true;
    case 'map':
      if (sameShape(x.shape, y.shape)) return true;
      return (
        g.kind === 'row' &&
        sameShape(x.shape, g.full!) &&
        (sameShape(y.shape, column) || y.shape.length + g.space.length === 0)
      );
    case 'view':
      if (x.op.name === 'reshape')
        return sameShape(x.shape, y.shape) || (g.kind === 'row' && isRow(x.shape) && isRow(y.shape));
      return (
        g.kind === 'row' && x.op.name === 'broadcastTo' && sameShape(x.shape, g.full!) && sameShape(y.shape, column)
      );
    default:
      return false;
  }
}
