/**
 * The key of a compiled graph: equal for graphs that compile to the same, different for all others. A graph is written as a list
 * of its nodes, each with the numbers of its operands, which is short where the graph is one; the data of constants goes in by hash.
 */
import type { Data, Graph, Tensor } from '@sinter/ir';
import { graphRoots, ops, topological } from '@sinter/ir';
import { asBytes } from '../artifact/elements.ts';
import { sha256 } from '../artifact/manifest.ts';
import { contractVersion } from '../artifact/runtime.ts';
import { plainText } from '../plain.ts';

/**
 * The key of what `graph` becomes with these settings (the target, the options of planning, the backend's version), as plain data;
 * `undefined` where that cannot be told: a function among the settings or an op of the user's own could mean anything.
 */
export async function artifactKey(graph: Graph, settings: unknown): Promise<string | undefined> {
  const constants: Data[] = [];
  const text = joined(() => [contractVersion, plainText(settings, unknowable), graphText(graph, constants)]);
  if (text === undefined) return undefined;
  const hashes: string[] = [];
  for (const data of constants) hashes.push(await sha256(asBytes(data)));
  return `artifact ${await sha256(new TextEncoder().encode([text, ...hashes].join('\n')))}`;
}

class Unknowable extends Error {}

function unknowable(): never {
  throw new Unknowable();
}

function joined(parts: () => readonly (string | number)[]): string | undefined {
  try {
    return parts().join('\n');
  } catch (error) {
    if (error instanceof Unknowable) return undefined;
    throw error;
  }
}

function graphText(g: Graph, constants: Data[]): string {
  const ids = new Map<Tensor, number>();
  const data = (x: object): string => (ArrayBuffer.isView(x) ? `#${constants.push(x as Data)}` : unknowable());
  // Nodes of one op often have the same attributes object, or a few of them.
  const attributes = new Map<unknown, string>();
  const lines: string[] = [g.name];
  const records = [g.inputs, g.state, g.outputs, g.updates];
  const all = [...records.flatMap((record) => Object.values(record)), ...graphRoots(g)];
  for (const t of topological(all)) {
    if (ops.get(t.op.name) !== t.op) unknowable();
    let attrs = attributes.get(t.attrs);
    if (attrs === undefined) attributes.set(t.attrs, (attrs = plainText(t.attrs, data)));
    lines.push(`${t.op.name} ${t.inputs.map((x) => ids.get(x)).join()} ${t.dtype} ${JSON.stringify(t.shape)} ${attrs}`);
    ids.set(t, ids.size);
  }
  for (const record of records)
    lines.push(JSON.stringify(Object.entries(record).map(([name, t]) => [name, ids.get(t)])));
  return lines.join('\n');
}
