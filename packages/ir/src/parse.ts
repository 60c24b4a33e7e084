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

function parseJson(text: string, otherwise: string, revive?: (key: string, v: unknown) => unknown): unknown {
  try {
    return JSON.parse(text, revive);
  } catch {
    throw new GraphError(otherwise);
  }
}

function parseAttrs(text: string | undefined): object {
  if (text === undefined) return {};
  const special = (v: unknown): boolean => v === 'Infinity' || v === '-Infinity' || v === 'NaN' || v === '-0';
  return parseJson(text, 'attributes are not JSON', (key, v) =>
    special(v) && key !== 'spec' && key !== 'name' ? Number(v) : v,
  ) as object;
}

/** Parses a printed graph; ops of your own are handed in. A {@link GraphError} names the line that does not parse. */
export function parseGraph(text: string, options: { readonly ops?: Iterable<Op> } = {}): Graph {
  const table = new Map<string, Op>(standard);
  for (const op of options.ops ?? []) table.set(op.name, op);
  const values = new Map<string, Tensor>();
  const roots: { output: Record<string, Tensor>; update: Record<string, Tensor> } = { output: {}, update: {} };
  let name: string | undefined;
  let closed = false;

  const lines = text.split('\n').map((l) => l.trim());
  lines.forEach((line, i) => {
    if (line === '') return;
    try {
      if (closed) throw new GraphError('text after the closing }');
      if (name === undefined) name = parseTitle(line);
      else if (line === '}') closed = true;
      else parseLine(line);
    } catch (error) {
      const why =
        error instanceof GraphError || error instanceof ShapeError
          ? error.message
          : `operands or attributes that the op cannot have (${(error as Error).message})`;
      throw new GraphError(`line ${i + 1}: ${why}: ${line}`);
    }
  });
  if (name === undefined) throw new GraphError('line 1: a graph begins with graph "name" {');
  if (!closed) throw new GraphError('the text ends before the closing }');
  try {
    return graph(name, { outputs: roots.output, updates: roots.update });
  } catch (error) {
    throw error instanceof ShapeError ? new GraphError(error.message) : error;
  }

  function parseLine(line: string): void {
    const root = rootLine.exec(line);
    if (root) {
      const key = parseJson(root[2]!, 'not a name in quotes') as string;
      Object.defineProperty(roots[root[1] as 'output' | 'update'], key, {
        value: value(root[3]!),
        enumerable: true,
        configurable: true,
      });
      return;
    }
    const node = nodeLine.exec(line);
    if (!node) throw new GraphError('not a node, output or update');
    const [, id, dtype, dims, opName, args, attrText] = node as unknown as [
      string,
      string,
      DType,
      string,
      string,
      string?,
      string?,
    ];
    if (values.has(id)) throw new GraphError(`${id} is defined twice`);
    if (!dtypes.includes(dtype)) throw new GraphError(`unknown dtype ${dtype}`);
    const shape: Shape = dims === '' ? [] : dims.split(', ').map((d) => (/^\d+$/.test(d) ? Number(d) : d));
    const op = table.get(opName);
    if (!op) throw new GraphError(`unknown op '${opName}'`);
    const isSource = op === inputOp || op === stateOp;
    const attrs = isSource
      ? { name: parseJson(attrText ?? '', 'attributes are not JSON'), shape, dtype }
      : parseAttrs(attrText);
    const made = Tensor.make(
      op,
      args ? args.split(', ').map(value) : [],
      op === constantOp ? { ...attrs, data: dataFrom(dtype, (attrs as { data: number[] }).data) } : attrs,
    );
    if (made.dtype !== dtype || !sameShape(made.shape, shape))
      throw new GraphError(`the op makes ${made.dtype}${showShape(made.shape)}`);
    values.set(id, made);
  }

  function value(id: string): Tensor {
    const found = values.get(id);
    if (!found) throw new GraphError(`${id} is not defined above`);
    return found;
  }
}

function parseTitle(line: string): string {
  const title = /^graph (".*") \{$/.exec(line);
  const why = 'a graph begins with graph "name" {';
  if (!title) throw new GraphError(why);
  return parseJson(title[1]!, why) as string;
}
