/** Transposed operands of contractions: the order of the labels says the same, and the operand is read as it lies. */
import type { ContractAttrs, Graph, Tensor as T } from '@sinter/ir';
import { parseSpec, Tensor } from '@sinter/ir';
import { rewriteGraph } from './rewrite.ts';

/** `contract('mk,kn->mn', x, transpose(w))` is `contract('mk,nk->mn', x, w)`. */
export function foldTransposes(g: Graph): Graph {
  return rewriteGraph(g, (t) => {
    if (t.op.kind !== 'contract' || !t.inputs.some((x) => x.op.name === 'transpose')) return t;
    const labels = parseSpec((t.attrs as ContractAttrs).spec);
    const [a, b] = [labels.a, labels.b].map((names, i) => throughTransposes(t.inputs[i]!, names)) as [Named, Named];
    const spec = `${a.names.join('')},${b.names.join('')}->${labels.out.join('')}`;
    return Tensor.make(t.op, [a.x, b.x], { spec } satisfies ContractAttrs);
  });
}

/** A tensor with a label for each axis. */
interface Named {
  readonly x: T;
  readonly names: readonly string[];
}

function throughTransposes(x: T, names: readonly string[]): Named {
  if (x.op.name !== 'transpose') return { x, names };
  const { perm } = x.attrs as { perm: readonly number[] };
  return throughTransposes(
    x.inputs[0]!,
    names.map((_, axis) => names[perm.indexOf(axis)]!),
  );
}
