/** Reads the text that {@link printGraph} writes. */
import type { DType } from './dtype.ts';
import { dataFrom, dtypes } from './dtype.ts';
import { GraphError, ShapeError } from './errors.ts';
import type { Graph } from './graph.ts';
import { graph } from './graph.ts';
import type { Op } from './op.ts';
import { constantOp, inputOp, stateOp } from './ops/source.ts';
import { ops as standard } from './ops/table.ts';
import type { Shape } from './shape.ts';
import { sameShape, showShape } from './shape.ts';
import { Tensor } from './tensor.ts';

const nodeLine = /^(%\d+): (\w+)\[(.*?)\] = (\w+)(?:\((.*?)\))?(?: (.*))?$/;
const rootLine = /^(output|update) (".*") = (%\d+)$/;

function parseAttrs(text: string | undefined): Record<string, unknown> {
  return text === undefined ? {} : (JSON.parse(text, (key, v: unknown) =>
    v === 'Infinity' || v === '-Infinity' || v === 'NaN' || v === '-0' ? (key === 'spec' || key === 'name' ? v : Number(v)) : v) as Record<string, unknown>);
}

/** Parses a printed graph; ops of your own are handed in. A {@link GraphError} names the line that does not parse. */
export function parseGraph(text: string, options: { readonly ops?: Iterable<Op> } = {}): Graph {
  const table = new Map<string, Op>(standard);
  for (const op of options.ops ?? []) table.set(op.name, op);
  const lines = text.split('\n').map((l) => l.trim());
  const fail = (i: number, why: string): never => { throw new GraphError(`line ${i + 1}: ${why}: ${lines[i]}`); };
  const head = lines.findIndex((l) => l !== '');
  const title = /^graph (".*") \{$/.exec(lines[head] ?? '');
  if (!title) return fail(Math.max(0, head), `a graph begins with graph "name" {`);
  const values = new Map<string, Tensor>();
  const roots: { output: Record<string, Tensor>; update: Record<string, Tensor> } = { output: {}, update: {} };
  let closed = false;
  for (let i = head + 1; i < lines.length; i++) {
    const line = lines[i]!;
    if (line === '' || closed) continue;
    if (line === '}') { closed = true; continue; }
    const value = (name: string): Tensor => values.get(name) ?? fail(i, `${name} is not defined above`);
    const root = rootLine.exec(line);
    if (root) {
      roots[root[1] as 'output' | 'update'][JSON.parse(root[2]!) as string] = value(root[3]!);
      continue;
    }
    const node = nodeLine.exec(line);
    if (!node) return fail(i, 'not a node, output or update');
    const [, name, dtypeText, dims, opName, args, attrText] = node as unknown as string[];
    const dtype = dtypeText as DType;
    if (!dtypes.includes(dtype)) fail(i, `unknown dtype ${dtypeText}`);
    const shape: Shape = dims === '' ? [] : dims!.split(', ').map((d) => (/^\d+$/.test(d) ? Number(d) : d));
    const op = table.get(opName!) ?? fail(i, `unknown op '${opName}'`);
    const inputs = args ? args.split(', ').map(value) : [];
    const isSource = op === inputOp || op === stateOp;
    let attrs: Record<string, unknown> = {};
    try {
      attrs = isSource ? { name: JSON.parse(attrText!) as string, shape, dtype } : parseAttrs(attrText);
    } catch {
      fail(i, 'attributes are not JSON');
    }
    if (op === constantOp) attrs.data = dataFrom(dtype, attrs.data as number[]);
    try {
      const made = Tensor.make(op, inputs, attrs);
      if (made.dtype !== dtype || !sameShape(made.shape, shape)) fail(i, `the op makes ${made.dtype}${showShape(made.shape)}`);
      values.set(name!, made);
    } catch (error) {
      if (error instanceof ShapeError) fail(i, error.message);
      throw error;
    }
  }
  if (!closed) throw new GraphError('the text ends before the closing }');
  return graph(JSON.parse(title[1]!) as string, { outputs: roots.output, updates: roots.update });
}
