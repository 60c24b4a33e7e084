/**
 * What is computed does not depend on the number of threads, bit by bit: threads share rows and tiles, never a sum. Every class of
 * kernel is run, and whole training steps, in sizes that divide by nothing and are large enough to be shared.
 */
import type { Backend, CompileOptions } from '@sinter/compiler';
import { compile } from '@sinter/compiler';
import type { Data, Graph, Tensor, TensorData } from '@sinter/ir';
import {
  attention,
  cast,
  crossEntropy,
  embedding,
  gelu,
  gradients,
  graph,
  input,
  layerNorm,
  matmul,
  matrixTranspose,
  mean,
  mul,
  scatterAdd,
  softmax,
  state,
  sub,
  sum,
} from '@sinter/ir';
import { adamw, schedule, trainStep } from '@sinter/trainer';
import { describe, expect, test } from 'vitest';
import { batchOf, cpuTargets, floats, integers, smallBert } from './targets.test.kit.ts';

const counts = [1, 2, 3, 5];

/** A graph, and the data of its inputs and state. */
interface Case {
  readonly graph: Graph;
  readonly options?: CompileOptions;
  readonly inputs: Readonly<Record<string, TensorData>>;
  readonly state?: Readonly<Record<string, TensorData>>;
  /** Default 2: a second run meets what the first has left behind. */
  readonly runs?: number;
}

const x = input('x', ['rows', 130], 'f32');
const rows = { x: floats([333, 130], 1) };
const w = state('w', [130, 75], 'f32');
const weight = { w: floats([130, 75], 2) };
const scale = { gamma: floats([130], 3), beta: floats([130], 4) };
const [gamma, beta] = [state('gamma', [130]), state('beta', [130])];
const normed = layerNorm(x, gamma, beta);

const heads = ['b', 't', 4, 12] as const;
const [q, k, v] = [input('q', heads, 'f32'), input('k', heads, 'f32'), input('v', heads, 'f32')];
const { context } = attention(q, k, v);
const attended: Case = {
  graph: graph('attention', {
    outputs: {
      context,
      ...Object.fromEntries(gradients(sum(mul(context, context)) as Tensor<[]>, [q, k, v]).map((g, i) => [`g${i}`, g])),
    },
  }),
  inputs: { q: floats([3, 70, 4, 12], 5), k: floats([3, 70, 4, 12], 6), v: floats([3, 70, 4, 12], 7) },
};

const ids = input('ids', ['n'], 'i32');
const table = state('table', [41, 24]);
const updates = input('updates', ['n', 24], 'f32');
const labels = input('labels', ['n'], 'i32');
const wordLoss = crossEntropy(matmul(embedding(ids, table), matrixTranspose(table)), labels) as Tensor<[]>;

const halves = { data: new Uint16Array(integers([130 * 75], 0x800, 8, 0).data).map((bits) => 0x3000 + bits) };
const bytes = { data: new Int8Array(integers([130 * 75], 255, 9, -127).data) };
const shape = [130, 75];

const cases: Record<string, Case> = {
  matmul: { graph: graph('matmul', { outputs: { y: matmul(x, w) } }), inputs: rows, state: weight },
  'matmul of one row': {
    graph: graph('matvec', { outputs: { y: gelu(matmul(x, w)) } }),
    inputs: { x: floats([1, 130], 1) },
    state: weight,
  },
  'matmul of a few rows with weights of 16 bits': {
    graph: graph('halves', { outputs: { y: matmul(x, cast(state('half', shape, 'f16'), 'f32')) } }),
    inputs: { x: floats([3, 130], 1) },
    state: { half: { ...halves, shape } },
  },
  'matmul of a few rows with weights of 8 bits': {
    graph: graph('bytes', { outputs: { y: matmul(x, mul(cast(state('byte', shape, 'i8'), 'f32'), 0.01)) } }),
    inputs: { x: floats([3, 130], 1) },
    state: { byte: { ...bytes, shape } },
  },
  'matmul over a long axis': {
    graph: graph('long', { outputs: { y: matmul(matrixTranspose(x), x) } }),
    inputs: { x: floats([2500, 130], 1) },
  },
  softmax: { graph: graph('softmax', { outputs: { y: softmax(x), t: softmax(x, 0) } }), inputs: rows },
  'layer norm, with gradients': {
    graph: graph('norm', {
      outputs: {
        normed,
        ...Object.fromEntries(
          gradients(sum(mul(normed, mul(normed, normed))) as Tensor<[]>, [x, gamma, beta]).map((g, i) => [`g${i}`, g]),
        ),
      },
    }),
    inputs: rows,
    state: scale,
  },
  'sums of all, of rows and of columns': {
    graph: graph('sums', {
      outputs: { all: sum(x), mean: mean(mul(x, x)), rows: sum(x, { axes: [1] }), columns: sum(x, { axes: [0] }) },
    }),
    inputs: { x: floats([3001, 130], 1) },
  },
  'attention forward and backward, stored': { ...attended, options: { attention: 'stored' } },
  'attention forward and backward, blockwise': { ...attended, options: { attention: 'blockwise' } },
  'scatter into few rows and into many': {
    graph: graph('scatter', {
      outputs: {
        few: scatterAdd(ids, updates, 41),
        many: scatterAdd(ids, updates, 5000),
      },
    }),
    inputs: { ids: integers([1500], 41, 10), updates: floats([1500, 24], 11) },
  },
  'a step on an embedding that is looked up and multiplied by': {
    graph: graph('words', {
      outputs: { loss: wordLoss },
      updates: { table: sub(table, mul(gradients(wordLoss, [table])[0]!, 0.5)) },
    }),
    inputs: { ids: integers([700], 41, 12), labels: integers([700], 41, 13) },
    state: { table: floats([41, 24], 14) },
    runs: 3,
  },
  'a training step of BERT with dropout and AdamW': trainingStep(),
};

function trainingStep(): Case {
  const model = smallBert({ vocab_size: 301, hidden_size: 44, intermediate_size: 100 });
  const step = trainStep(model, {
    optimizer: () => adamw({ weight_decay: 0.01 }),
    schedule: schedule('constant', { warmup: 0, total: 10 }),
    learning_rate: 1e-3,
    max_grad_norm: 1,
  });
  const weights = [...model.parameters].filter(([name]) => name in step.state);
  return { graph: step, inputs: batchOf(9, 37, 301, 1), state: Object.fromEntries(weights), runs: 3 };
}

/** All outputs of all runs, and the state after them. */
async function results({ graph, options, inputs, state = {}, runs = 2 }: Case, backend: Backend): Promise<Bits> {
  await using program = await compile(graph, backend, options);
  for (const [name, { data }] of Object.entries(state)) await program.state.write(name, data);
  const found: Record<string, Uint8Array> = {};
  const keep = (name: string, { buffer, byteOffset, byteLength }: Data): void => {
    found[name] = new Uint8Array(buffer.slice(byteOffset, byteOffset + byteLength));
  };
  for (let run = 0; run < runs; run++)
    for (const [name, { data }] of Object.entries(await program.run(inputs))) keep(`${name}, run ${run}`, data);
  for (const name of Object.keys(graph.state)) keep(`state ${name}`, await program.state.read(name));
  return found;
}
type Bits = Readonly<Record<string, Uint8Array>>;

describe.each(cpuTargets())('$name', ({ backend }) => {
  test.each(Object.entries(cases))('%s', async (_, one) => {
    const [alone, ...others] = counts;
    const expected = await results(one, backend(alone!));
    for (const [name, bits] of Object.entries(expected)) {
      if (name.startsWith('state')) continue;
      const numbers = new Float32Array(bits.buffer);
      expect(numbers.every(Number.isFinite), name).toBe(true);
      expect(
        numbers.some((value) => value !== 0),
        name,
      ).toBe(true);
    }
    for (const threads of others) {
      const found = await results(one, backend(threads));
      expect(Object.keys(found)).toEqual(Object.keys(expected));
      for (const [name, bits] of Object.entries(found))
        expect(Buffer.compare(bits, expected[name]!), `${name} on ${threads} threads`).toBe(0);
    }
  });
});
