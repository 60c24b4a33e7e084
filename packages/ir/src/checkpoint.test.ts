import { describe, expect, test } from 'vitest';
import type { Tensor } from './index.ts';
import {
  add,
  barrier,
  checkpoint,
  constant,
  dropout,
  evaluate,
  gradients,
  graph,
  input,
  matmul,
  mul,
  parseGraph,
  printGraph,
  sin,
  state,
  sum,
  tanh,
  topological,
} from './index.ts';
import { sampleTensors } from './samples.test.kit.ts';

const key = constant(Uint32Array.of(5, 9), [2], 'u32');
const plain = <F>(fn: F): F => fn;
/** A layer with weights of its own, dropout, and a mask from elsewhere. */
const layer =
  (i: number, mask: Tensor) =>
  (x: Tensor): Tensor =>
    mul(add(dropout(tanh(matmul(x, state(`w${i}`, [4, 4]))), 0.25, key, i), sin(x)), mask);

/** A loss of `layers` layers with its gradients in all weights and the input. */
function network(layers: number, wrap: typeof checkpoint, each = 1) {
  const x = input('x', [3, 4]);
  const mask = input('mask', [4]);
  let y: Tensor = x;
  for (let i = 0; i < layers; i += each) {
    const block = (z: Tensor): Tensor => {
      for (let j = i; j < Math.min(layers, i + each); j++) z = layer(j, mask)(z);
      return z;
    };
    y = wrap(block)(y);
  }
  return close(sum(mul(y, y)), x);
}

function close(loss: Tensor, x: Tensor) {
  const weights = topological([loss]).filter((t) => t.op.name === 'state');
  const [dx, ...dw] = gradients(loss, [x, ...weights]);
  return graph('g', { outputs: { loss, dx, ...Object.fromEntries(dw.map((g, i) => [`dw${i}`, g])) } });
}

function sameResults(a: ReturnType<typeof graph>, b: ReturnType<typeof graph>): void {
  const [inputs, weights] = [sampleTensors(a.inputs, {}), sampleTensors(a.state, {}, 3)];
  expect(evaluate(b, inputs, weights).outputs).toEqual(evaluate(a, inputs, weights).outputs);
}

const count = (g: ReturnType<typeof graph>, name: string): number =>
  topological(Object.values(g.outputs)).filter((t) => t.op.name === name).length;

describe('checkpoint', () => {
  test.each([1, 2, 3])('gradients are those without it, to the bit, with %d layers a call', (each) => {
    sameResults(network(5, plain as typeof checkpoint), network(5, checkpoint, each));
  });

  test('what is between is computed a second time, weights and arguments are not', () => {
    const [without, having] = [network(4, plain as typeof checkpoint), network(4, checkpoint)];
    expect(count(without, 'tanh')).toBe(4);
    expect(count(having, 'tanh')).toBe(8);
    expect([count(having, 'uniform'), count(having, 'state')]).toEqual([8, 4]);
  });

  test('the backward pass reads nothing of the forward pass but arguments, weights and what the function took from elsewhere', () => {
    const x = input('x', [3, 4]);
    const taken = tanh(input('taken', [4]));
    const inner: Tensor[] = [];
    const y = checkpoint((z: Tensor) => {
      inner.push(mul(z, taken));
      inner.push(sin(inner[0]!));
      return mul(inner[1]!, inner[1]!);
    })(x);
    const [dx] = gradients(sum(y), [x]);
    const below = topological([dx]);
    expect(below.filter((t) => inner.includes(t))).toEqual([]);
    expect(below).toContain(taken);
  });

  test('recomputation waits for the gradient of its result', () => {
    const g = network(2, checkpoint);
    const order = topological(Object.values(g.outputs));
    const barriers = order.filter((t) => t.op.name === 'barrier' && t.inputs.length === 2);
    expect(barriers.length).toBe(4); // the argument and the key of dropout, in each layer
    for (const b of barriers)
      expect(topological([b.inputs[1]!]).some((t) => t.op.name === 'reduceSum' || t.op.name === 'mul')).toBe(true);
  });

  test('calls within calls are computed again from what the outer one computed again', () => {
    const mask = input('mask', [4]);
    const x = input('x', [3, 4]);
    const build = (wrap: typeof checkpoint) => {
      const two = (i: number) => (z: Tensor) => wrap(layer(i + 1, mask))(wrap(layer(i, mask))(z));
      return close(sum(wrap((z: Tensor) => wrap(two(2))(sin(wrap(two(0))(z))))(x)), x);
    };
    sameResults(build(plain as typeof checkpoint), build(checkpoint));
    const nested = build(checkpoint);
    // No rule reads a tensor of the forward pass: of the 4 layers each is computed forward, and again once per call around it.
    expect(count(nested, 'tanh')).toBeGreaterThan(8);
  });

  test('several arguments and results: lists, records, and results that are not used', () => {
    const [x, z] = [input('x', [3, 4]), input('z', [3, 4])];
    const build = (wrap: typeof checkpoint) => {
      const { a, b, none } = wrap((p: Tensor, q: Tensor) => {
        const both = tanh(add(p, q) as Tensor);
        return { a: mul(both, p) as Tensor, b: sin(mul(both, q)) as Tensor, none: undefined, idle: sin(q) };
      })(x, z);
      expect(none).toBeUndefined();
      const [c, d] = wrap((p: Tensor) => [sin(p), tanh(p)] as const)(a);
      const loss = sum(mul(add(b, c) as Tensor, d) as Tensor);
      const [dx, dz] = gradients(loss, [x, z]);
      return graph('g', { outputs: { loss, dx, dz } });
    };
    sameResults(build(plain as typeof checkpoint), build(checkpoint));
    // Both results pull back through one second copy.
    expect(count(build(checkpoint), 'tanh')).toBe(4);
  });

  test('gradients of gradients', () => {
    const x = input('x', [3]);
    const build = (wrap: typeof checkpoint) => {
      const [dx] = gradients(sum(wrap((z: Tensor) => tanh(sin(z)))(x)), [x]);
      const [ddx] = gradients(sum(mul(dx, dx)), [x]);
      return graph('g', { outputs: { dx, ddx } });
    };
    sameResults(build(plain as typeof checkpoint), build(checkpoint));
  });

  test('prints and parses', () => {
    const text = printGraph(network(2, checkpoint));
    expect(printGraph(parseGraph(text))).toBe(text);
  });

  test('a barrier is its first operand', () => {
    const x = input('x', [2]);
    const y = barrier(x, input('other', [5]));
    expect(y.shape).toEqual([2]);
    const value = (...of: number[]) => ({ shape: [of.length], data: Float32Array.from(of) });
    const g = graph('g', { outputs: { y, dx: gradients(sum(mul(y, y)), [x])[0] } });
    const { outputs } = evaluate(g, { x: value(3, 4), other: value(1, 1, 1, 1, 1) });
    expect([[...outputs.y!.data], [...outputs.dx!.data]]).toEqual([
      [3, 4],
      [6, 8],
    ]);
  });
});
