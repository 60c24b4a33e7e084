/** Small tensors for tests: one of every op, data by a seed, and graphs of many steps. */
import type { Data, DType, Graph, Tensor, TensorData } from './index.ts';
import {
  add,
  argmax,
  broadcastTo,
  cast,
  concat,
  constant,
  contract,
  dataFor,
  dimValue,
  encoder,
  equal,
  flip,
  full,
  gather,
  graph,
  input,
  iota,
  isFloat,
  less,
  matmul,
  max,
  maximum,
  mean,
  min,
  mul,
  ops,
  reshape,
  scatterAdd,
  shapeSize,
  slice,
  softmax,
  state,
  sub,
  sum,
  tanh,
  transpose,
  uniform,
  updateSlice,
  where,
  windows,
} from './index.ts';
import { Tensor as T } from './tensor.ts';

/** Numbers in [−2, 2] (integers 0 to 5) that depend on `seed` alone. */
export function sampleData(dtype: DType, length: number, seed: number): Data {
  let bits = (seed * 2654435761 + 12345) >>> 0;
  const data = dataFor(dtype, length);
  const put = encoder(dtype);
  for (let i = 0; i < length; i++) {
    bits = (Math.imul(bits, 1664525) + 1013904223) >>> 0;
    data[i] = put(
      isFloat(dtype)
        ? Math.fround((bits / 2 ** 32) * 4 - 2)
        : Math.floor((bits / 2 ** 32) * (dtype === 'bool' ? 2 : 6)),
    );
  }
  return data;
}

/** Data for every input (or state) of a graph. */
export function sampleTensors(
  record: Graph['inputs'],
  sizes: Readonly<Record<string, number>>,
  seed = 1,
): Record<string, TensorData> {
  return Object.fromEntries(
    Object.entries(record).map(([name, t], i) => {
      const shape = shapeSize(t.shape, sizes);
      return [
        name,
        {
          shape,
          data: sampleData(
            t.dtype,
            shape.reduce((a, b) => a * b, 1),
            seed + 17 * i,
          ),
        },
      ];
    }),
  );
}

const x = (): Tensor => input('x', ['n', 3, 4]);
const named = (name: string, ...inputs: Tensor[]): Tensor => T.make(ops.get(name)!, inputs, {});
const real = ['neg', 'abs', 'exp', 'log', 'sqrt', 'sin', 'cos', 'tanh', 'erf', 'floor', 'round', 'stopGradient'];
const pairs = ['add', 'sub', 'mul', 'div', 'mod', 'pow', 'min', 'max', 'eq', 'lt', 'le'];
const bits = ['and', 'or', 'xor', 'shl', 'shr'];

/** A tensor made by each op, by the op's name. */
export const samples: Readonly<Record<string, () => Tensor>> = {
  input: x,
  state: () => state('s', [2, 3]),
  constant: () => constant(Float32Array.of(0, -0, Infinity, -Infinity, NaN, 1e-45, 3.4e38, 0.1), [2, 4]),
  full: () => full(['n', 2], -Infinity),
  iota: () => iota(['n', 5], 1),
  dim: () => dimValue('2*n+1', 'i32'),
  ...Object.fromEntries(real.map((name) => [name, () => named(name, x())])),
  ...Object.fromEntries(pairs.map((name) => [name, () => named(name, x(), input('y', [3, 1]))])),
  ...Object.fromEntries(bits.map((name) => [name, () => named(name, input('i', [4], 'i32'), input('j', [4], 'i32'))])),
  where: () => where(input('c', [3, 1], 'bool'), x(), full([], 0)),
  cast: () => cast(x(), 'u8'),
  reduceSum: () => sum(x(), { axes: [0, 2] }),
  reduceMax: () => max(x(), { axes: 1 }),
  reduceMin: () => min(x()),
  reshape: () => reshape(x(), ['n', 12]),
  transpose: () => transpose(x(), [2, 0, 1]),
  broadcastTo: () => broadcastTo(x(), [2, 'n', 3, 4]),
  slice: () => slice(x(), { starts: [0, -2, 0], ends: [undefined, 3, 4], steps: [1, 1, 2] }),
  unslice: () => T.make(ops.get('unslice')!, [x()], { starts: [0, 1, 2], steps: [1, 2, 1], shape: ['n', 7, 6] }),
  concat: () => concat([x(), x(), input('y', ['n', 2, 4])], 1),
  flip: () => flip(x(), [0, 2]),
  barrier: () => named('barrier', x(), input('y', [3])),
  checkpoint: () => named('checkpoint', x(), input('y', [3])),
  window: () => windows(x(), 2, { size: 2, stride: 2, padding: 1 }),
  unwindow: () =>
    T.make(ops.get('unwindow')!, [input('w', ['n', 3, 2])], {
      axis: 1,
      whole: 5,
      windows: 3,
      stride: 2,
      dilation: 1,
      before: 1,
    }),
  contract: () => contract('nij,nkj->nik', x(), input('y', ['n', 5, 4])),
  gather: () => gather(input('table', [6, 2]), input('ids', ['n', 3], 'i32')),
  scatterAdd: () => scatterAdd(input('ids', ['n', 3], 'i32'), input('u', ['n', 3, 2]), 6),
  updateSlice: () => updateSlice(input('base', [4, 5]), input('block', [2, 3]), input('at', [2], 'i32')),
  uniform: () => uniform(input('key', [2], 'u32'), ['n', 7], 3),
};

type Pick = <X>(from: readonly X[]) => X;
type Step = (pool: readonly Tensor[], pick: Pick) => Tensor;
const floats = (pool: readonly Tensor[]): Tensor[] => pool.filter((t) => t.dtype === 'f32');
const steps: readonly Step[] = [
  (p, pick) => tanh(pick(floats(p))),
  (p, pick) => {
    const a = pick(floats(p));
    return add(a, pick(floats(p).filter((b) => b.shape.join() === a.shape.join())));
  },
  (p, pick) => sub(pick(floats(p)), input('scalar', [])) as Tensor,
  (p, pick) => mul(pick(floats(p)), 0.75),
  (p, pick) => maximum(pick(floats(p)), -0.5),
  (p, pick) => softmax(pick(floats(p).filter((t) => t.shape.length > 0))),
  (p, pick) => {
    const a = pick(p.filter((t) => t.shape.length > 0));
    return max(a, { axes: pick(a.shape.map((_, i) => i)), keepdims: pick([true, false]) }) as Tensor;
  },
  (p, pick) => {
    const a = pick(floats(p).filter((t) => t.shape.length > 0));
    return mean(a, { axes: pick(a.shape.map((_, i) => i)) }) as Tensor;
  },
  (p, pick) => {
    const a = pick(p);
    return transpose(
      a,
      a.shape.map((_, i) => a.shape.length - 1 - i),
    );
  },
  (p, pick) => {
    const a = pick(p.filter((t) => t.shape.length > 0));
    return concat([a, flip(a, [0])], a.shape.length - 1);
  },
  (p, pick) => {
    const a = pick(floats(p).filter((t) => t.shape.length === 2));
    return matmul(a, transpose(a, [1, 0])) as Tensor;
  },
  (p, pick) => {
    const a = pick(floats(p));
    return where(less(a, 0.25), a, mul(a, a)) as Tensor;
  },
  (p, pick) => {
    const a = pick(floats(p).filter((t) => t.shape.length > 0));
    return gather(a, argmax(a));
  },
  (p, pick) => cast(equal(pick(floats(p)), 0), 'f32'),
];

/** How many kinds of steps {@link graphOf} knows. */
export const stepCount = steps.length;

/** A graph of the given steps, each with four numbers that choose; a step that nothing fits becomes `tanh`. */
export function graphOf(list: readonly (readonly [step: number, choices: readonly number[]])[]): Graph {
  const pool: Tensor[] = [input('x', ['n', 3]), state('w', [2, 3]), input('v', ['n'])];
  for (const [index, choices] of list) {
    let used = 0;
    const pick: Pick = (from) => {
      if (from.length === 0) throw new RangeError('nothing fits');
      return from[choices[used++ % choices.length]! % from.length]!;
    };
    try {
      pool.push(steps[index]!(pool, pick));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      pool.push(tanh(pool[0]!));
    }
  }
  return graph('random', {
    outputs: { last: pool.at(-1)!, middle: pool[Math.floor(pool.length / 2)]! },
    updates: { w: tanh(pool[1]!) },
  });
}
