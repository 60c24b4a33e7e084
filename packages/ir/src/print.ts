/** A graph as text that people read and {@link parseGraph} reads back. */
import type { Data, DType } from './dtype.ts';
import { decoder } from './dtype.ts';
import type { Graph } from './graph.ts';
import { graphRoots, sourceName, topological } from './graph.ts';
import { inputOp, stateOp } from './ops/source.ts';
import type { Tensor } from './tensor.ts';

/** Attributes as JSON; data becomes an array of the numbers it stands for, and what JSON lacks (`Infinity`) a string. */
export function printAttrs(attrs: object): string {
  const get = decoder((attrs as { readonly dtype?: DType }).dtype ?? 'f32');
  return JSON.stringify(attrs, (_, v: unknown) => {
    if (ArrayBuffer.isView(v)) return Array.from(v as Data, get).map(safeNumber);
    return typeof v === 'number' ? safeNumber(v) : v;
  });
}
function safeNumber(v: number): number | string {
  return Number.isFinite(v) && !Object.is(v, -0) ? v : Object.is(v, -0) ? '-0' : String(v);
}

/** Prints a graph, one node a line, in the order in which it can be computed. */
export function printGraph(g: Graph): string {
  const lines = [`graph ${JSON.stringify(g.name)} {`];
  const names = new Map<Tensor, string>();
  let count = 0;
  for (const t of topological([...graphRoots(g)])) {
    const name = `%${count++}`;
    names.set(t, name);
    const type = `${t.dtype}[${t.shape.join(', ')}]`;
    if (t.op === inputOp || t.op === stateOp) {
      lines.push(`  ${name}: ${type} = ${t.op.name} ${JSON.stringify(sourceName(t))}`);
      continue;
    }
    const attrs = printAttrs(t.attrs as object);
    lines.push(
      `  ${name}: ${type} = ${t.op.name}(${t.inputs.map((x) => names.get(x)).join(', ')})${attrs === '{}' ? '' : ` ${attrs}`}`,
    );
  }
  for (const [kind, record] of [
    ['output', g.outputs],
    ['update', g.updates],
  ] as const) {
    for (const [name, t] of Object.entries(record)) lines.push(`  ${kind} ${JSON.stringify(name)} = ${names.get(t)}`);
  }
  return `${lines.join('\n')}\n}\n`;
}
