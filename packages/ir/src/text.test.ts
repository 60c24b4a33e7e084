import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Tensor } from './index.ts';
import {
  add,
  constant,
  dataFrom,
  dtypes,
  evaluate,
  full,
  graph,
  GraphError,
  input,
  neg,
  ops,
  parseGraph,
  printGraph,
  state,
  verifyGraph,
} from './index.ts';
import { builder } from './tensor.ts';
import { graphOf, samples, sampleTensors, stepCount } from './samples.test.kit.ts';

const again = (text: string): string => printGraph(verifyGraph(parseGraph(text)));

test('a graph as text', () => {
  const x = input('x', ['batch', 4]);
  const w = state('w', [4]);
  expect(printGraph(graph('example', { outputs: { y: add(x, w) as Tensor }, updates: { w: neg(w) } })))
    .toBe(`graph "example" {
  %0: f32[batch, 4] = input "x"
  %1: f32[4] = state "w"
  %2: f32[batch, 4] = add(%0, %1)
  %3: f32[4] = neg(%1)
  output "y" = %2
  update "w" = %3
}
`);
});

test('there is a sample of every op', () => {
  expect(Object.keys(samples).sort()).toEqual([...ops.keys()].sort());
});
test.each(Object.entries(samples))('%s is printed and read back', (name, make) => {
  const t = make();
  expect(t.op.name).toBe(name);
  const g = graph(name, { outputs: { t } });
  const text = printGraph(g);
  expect(again(text)).toBe(text);
  const sizes = { n: 2 };
  const inputs = sampleTensors(g.inputs, sizes);
  const [a, b] = [g, parseGraph(text)].map((x) => evaluate(x, inputs, sampleTensors(x.state, sizes), sizes).outputs.t);
  expect(b).toEqual(a);
});

const randomGraph = fc
  .array(fc.tuple(fc.nat(stepCount - 1), fc.array(fc.nat(1000), { minLength: 4, maxLength: 4 })), {
    minLength: 1,
    maxLength: 12,
  })
  .map(graphOf);

test('random graphs survive, and compute the same', () => {
  fc.assert(
    fc.property(randomGraph, fc.integer({ min: 1, max: 4 }), (g, n) => {
      const text = printGraph(verifyGraph(g));
      expect(again(text)).toBe(text);
      const [a, b] = [g, parseGraph(text)].map((x) =>
        evaluate(x, sampleTensors(g.inputs, { n }), sampleTensors(g.state, { n })),
      );
      expect(b).toEqual(a);
    }),
    { numRuns: 300 },
  );
});

test('constants of all dtypes and all special numbers survive to the bit', () => {
  for (const dtype of dtypes) {
    const values = [0, -0, 1, -1, 0.1, 65504, 1e-8, Infinity, -Infinity, NaN, 2147483647, 4294967295];
    const data = dataFrom(dtype, values);
    const g = parseGraph(
      printGraph(graph('c', { outputs: { c: constant(data, [values.length], dtype), f: full([], -0, dtype) } })),
    );
    const found = evaluate(g).outputs.c!.data;
    expect(new Uint8Array(found.buffer)).toEqual(new Uint8Array(data.buffer));
    expect(Object.is((g.outputs.f!.attrs as { value: number }).value, -0)).toBe(true);
  }
});

test('names may hold anything', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string(), (name, other) => {
      const text = printGraph(graph(name, { outputs: { [`o${other}`]: input(name, [2]) } }));
      expect(again(text)).toBe(text);
    }),
  );
});

test('ops of one’s own are handed to the parser', () => {
  const op = { ...(ops.get('neg') as typeof ops extends ReadonlyMap<string, infer R> ? R : never), name: 'minus' };
  const text = printGraph(graph('own', { outputs: { y: builder(op)([input('x', [2])], {}) } }));
  expect(() => parseGraph(text)).toThrow("line 3: unknown op 'minus'");
  expect(printGraph(parseGraph(text, { ops: [op] }))).toBe(text);
});

describe('text that is no graph: the line is named', () => {
  const body = (lines: string): string => `graph "g" {\n  %0: f32[n, 3] = input "x"\n${lines}\n}\n`;
  test.each([
    ['', 'line 1: a graph begins with graph "name" {'],
    ['graph g {', 'line 1: a graph begins with graph "name" {'],
    ['graph "a\\q" {\n}', 'line 1: a graph begins with graph "name" {'],
    ['graph "g" {\n', 'the text ends before the closing }'],
    [body('  output "y" = %7'), 'line 3: %7 is not defined above: output "y" = %7'],
    [body('  output "\\q" = %0'), 'line 3: not a name in quotes'],
    [body('  hello'), 'line 3: not a node, output or update: hello'],
    [body('  %1: f33[n, 3] = neg(%0)'), 'line 3: unknown dtype f33'],
    [body('  %1: f32[n, 3] = nag(%0)'), "line 3: unknown op 'nag'"],
    [body('  %1: f32[n, 4] = neg(%0)'), 'line 3: the op makes f32[n, 3]'],
    [body('  %1: f32[n, 3] = neg(%2)'), 'line 3: %2 is not defined above'],
    [body('  %1: f32[n, 3] = neg(%0, %0)'), 'line 3: neg: takes 1 operands, got 2'],
    [body('  %1: f32[n, 3] = neg()'), 'line 3: neg: takes 1 operands, got 0'],
    [body('  %1: f32[n] = reduceSum(%0)'), 'line 3: operands or attributes that the op cannot have'],
    [body('  %1: f32[n] = reduceSum(%0) {"axes":[5]}'), 'line 3: reduceSum: axes [5]'],
    [body('  %1: f32[n] = reduceSum(%0) {axes}'), 'line 3: attributes are not JSON'],
    [
      body('  %1: f32[2] = constant() {"shape":[2],"dtype":"f32"}'),
      'line 3: operands or attributes that the op cannot have',
    ],
    [
      body('  %1: f32[2] = constant() {"shape":[2],"dtype":"f32","data":[1]}'),
      'line 3: constant: shape [2] has 2 elements',
    ],
    [body('  %1: f32[2] = input x'), 'line 3: attributes are not JSON'],
    [body('  %0: f32[n, 3] = neg(%0)'), 'line 3: %0 is defined twice'],
    [`${body('  output "y" = %0')}more`, 'line 5: text after the closing }'],
    [body('  update "w" = %0'), "update of 'w', but no such state"],
  ])('%j', (text, message) => {
    expect(() => parseGraph(text)).toThrow(GraphError);
    expect(() => parseGraph(text)).toThrow(message);
  });

  test('no text at all makes another error', () => {
    const good = printGraph(
      graph('g', {
        outputs: Object.fromEntries(
          Object.entries(samples)
            .map(([k, make]) => [k, make()])
            .filter(([, t]) => (t as Tensor).inputs.length < 2),
        ) as Record<string, Tensor>,
      }),
    );
    const lines = good.split('\n');
    fc.assert(
      fc.property(
        fc.nat(lines.length - 1),
        fc.nat(200),
        fc.nat(200),
        fc.string({ maxLength: 3 }),
        (line, from, cut, put) => {
          const text = lines[line]!;
          const at = from % (text.length + 1);
          const broken = lines.with(line, text.slice(0, at) + put + text.slice(at + (cut % 4))).join('\n');
          try {
            verifyGraph(parseGraph(broken));
          } catch (error) {
            if (!(error instanceof GraphError)) throw error;
          }
        },
      ),
      { numRuns: 3000 },
    );
  });
});
