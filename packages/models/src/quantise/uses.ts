/** What a model does with its parameters, read off its graph: what can be quantised, and along which axis, follows from that. */
import type { Graph, Tensor } from '@sinter/ir';
import { parseSpec, sourceName, stateOp, topological } from '@sinter/ir';

/** How a parameter is used. */
export interface Use {
  /** The axes along which products with it are summed. */
  readonly inner: ReadonlySet<number>;
  /** Whether rows of it are looked up. */
  readonly isTable: boolean;
  /** Whether anything else is done with it. */
  readonly isOther: boolean;
}

/** The uses of a graph's states, by name. */
export function usesOf(outputs: Graph['outputs']): ReadonlyMap<string, Use> {
  const uses = new Map<string, { inner: Set<number>; isTable: boolean; isOther: boolean }>();
  const of = (name: string) => {
    if (!uses.has(name)) uses.set(name, { inner: new Set(), isTable: false, isOther: false });
    return uses.get(name)!;
  };
  for (const t of topological(Object.values(outputs)))
    t.inputs.forEach((operand, i) => {
      const found = parameterOf(operand);
      if (!found) return;
      const { name, axes } = found;
      if (t.op.kind === 'contract') {
        const { spec } = t.attrs as { readonly spec: string };
        const labels = parseSpec(spec);
        const own = i === 0 ? labels.a : labels.b;
        const summed = own.filter((label) => labels.k.includes(label));
        if (summed.length === 1 && labels.batch.length === 0) of(name).inner.add(axes[own.indexOf(summed[0]!)]!);
        else of(name).isOther = true;
      } else if (t.op.kind === 'gather' && i === 0) of(name).isTable = true;
      else if (t.op.name !== 'transpose') of(name).isOther = true;
    });
  return uses;
}

/** The state that a tensor is, or of which it exchanges axes; `axes[i]` is that of the state. */
function parameterOf(t: Tensor): { readonly name: string; readonly axes: readonly number[] } | undefined {
  if (t.op === stateOp) return { name: sourceName(t), axes: t.shape.map((_, axis) => axis) };
  if (t.op.name !== 'transpose') return undefined;
  const from = parameterOf(t.inputs[0]!);
  const { perm } = t.attrs as { readonly perm: readonly number[] };
  return from && { name: from.name, axes: perm.map((axis) => from.axes[axis]!) };
}
