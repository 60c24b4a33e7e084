/**
 * A BERT of the shape of all-MiniLM-L6-v2 with seeded weights (huggingface.co/sentence-transformers/all-MiniLM-L6-v2,
 * config.json). Weights are stored [in, out], as every peer multiplies them; the embedding of token type 0 is part of
 * the positions.
 */
import type * as Jax from '@jax-js/jax';
import type * as Ir from '@sinter/ir';
import type { Rank, Tensor } from '@tensorflow/tfjs';
import type { OnnxValue } from '../drive/onnx-writer.ts';
import { floats, integers, type Values } from '../harness/values.ts';
import type { Lookup, Programs, Work } from '../harness/work.ts';
import { adamw, adamwSlots } from './adamw.ts';

const layers = 6;
const hidden = 384;
const heads = 12;
const headSize = hidden / heads;
const inner = 1536;
const vocabulary = 30522;
const epsilon = 1e-12;
/** What a masked score is lowered by. */
const far = -1e9;

/** The last hidden state [batch, seq, 384] of token ids and a 0/1 mask. */
export function minilmForward(batch: number, seq: number): Work {
  return {
    name: `MiniLM forward ${batch}×${seq}`,
    place: 'cpu',
    flops: forwardFlops(batch, seq),
    tokens: batch * seq,
    params: parameters(seq),
    inputs: { ids: integers([batch, seq], vocabulary), mask: integers([batch, seq], 2) },
    programs: {
      sinter: (ir, t) => ({ output: sinter(ir, t, batch, seq) }),
      tfjs: tfjs(batch, seq),
      jax: jax(batch, seq),
      onnx: onnx(batch, seq),
      torch: `minilm(t, layers=${layers}, heads=${heads})`,
    },
  };
}

/**
 * The loss of one step of fine-tuning a two-label classifier: forward with pooler, backward, AdamW on every weight. The
 * JavaScript peers and onnxruntime have no program: tfjs's WebAssembly lacks a kernel for the gradient of an embedding
 * lookup (UnsortedSegmentSum), jax-js cannot trace it under `jit` (scatter), and onnxruntime only infers.
 */
export function minilmStep(batch: number, seq: number): Work {
  const params = {
    ...parameters(seq),
    'pooler.weight': matrix(hidden, hidden),
    'pooler.bias': bias(hidden),
    'classifier.weight': matrix(hidden, 2),
    'classifier.bias': bias(2),
  };
  return {
    name: `MiniLM fine-tuning step ${batch}×${seq}`,
    place: 'cpu',
    flops: 3 * forwardFlops(batch, seq),
    tokens: batch * seq,
    params,
    slots: adamwSlots(params),
    inputs: {
      ids: integers([batch, seq], vocabulary),
      mask: integers([batch, seq], 2),
      labels: integers([batch], 2),
    },
    programs: {
      sinter: (ir, t) => {
        const loss = sinterLoss(ir, t, batch, seq);
        return { output: loss, updates: adamw(ir, t, loss, Object.keys(params)) };
      },
      torch: `minilm_step(t, layers=${layers}, heads=${heads})`,
    },
  };
}

function forwardFlops(batch: number, seq: number): number {
  return batch * layers * (2 * seq * hidden * (4 * hidden + 2 * inner) + 4 * seq * seq * hidden);
}

function parameters(seq: number): Record<string, Values> {
  const norm = (name: string) => ({ [`${name}.weight`]: floats([hidden], 0.1, 1), [`${name}.bias`]: bias(hidden) });
  const linear = (name: string, from: number, to: number) => ({
    [`${name}.weight`]: matrix(from, to),
    [`${name}.bias`]: bias(to),
  });
  const layer = (l: string) => ({
    ...Object.assign({}, ...['query', 'key', 'value', 'output'].map((name) => linear(l + name, hidden, hidden))),
    ...norm(`${l}output.norm`),
    ...linear(`${l}up`, hidden, inner),
    ...linear(`${l}down`, inner, hidden),
    ...norm(`${l}down.norm`),
  });
  return {
    words: floats([vocabulary, hidden], 0.05),
    positions: floats([seq, hidden], 0.05),
    ...norm('embeddings.norm'),
    ...Object.assign({}, ...layerNames.map(layer)),
  };
}

const layerNames = Array.from({ length: layers }, (_, i) => `layer.${i}.`);
const matrix = (from: number, to: number) => floats([from, to], 1.7 / Math.sqrt(from));
const bias = (size: number) => floats([size], 0.02);

function sinter(ir: typeof Ir, t: Lookup<Ir.Tensor>, batch: number, seq: number): Ir.Tensor {
  type Ids = Ir.Tensor<Ir.Shape, 'i32'>;
  const { add, attention, cast, embedding, gelu, layerNorm, matmul, mul, reshape, sub } = ir;
  const linear = (x: Ir.Tensor, name: string) => add(matmul(x, t(`${name}.weight`)), t(`${name}.bias`));
  const norm = (x: Ir.Tensor, name: string) => layerNorm(x, t(`${name}.weight`), t(`${name}.bias`), epsilon);

  const masked = reshape(mul(sub(1, cast(t('mask'), 'f32')), far), [batch, 1, 1, seq]);
  let x = norm(add(embedding(t('ids') as Ids, t('words')), t('positions')), 'embeddings.norm');
  for (const l of layerNames) {
    const split = (name: string) => reshape(linear(x, l + name), [batch, seq, heads, headSize]);
    const { context } = attention(split('query'), split('key'), split('value'), { bias: masked });
    x = norm(add(linear(reshape(context, [batch, seq, hidden]), `${l}output`), x), `${l}output.norm`);
    x = norm(add(linear(gelu(linear(x, `${l}up`)), `${l}down`), x), `${l}down.norm`);
  }
  return x;
}

function sinterLoss(ir: typeof Ir, t: Lookup<Ir.Tensor>, batch: number, seq: number): Ir.Tensor {
  const { add, crossEntropy, matmul, reshape, slice, tanh } = ir;
  const linear = (x: Ir.Tensor, name: string) => add(matmul(x, t(`${name}.weight`)), t(`${name}.bias`));
  const first = slice(sinter(ir, t, batch, seq), { starts: [0, 0, 0], ends: [batch, 1, hidden] });
  const pooled = tanh(linear(reshape(first, [batch, hidden]), 'pooler'));
  return crossEntropy(linear(pooled, 'classifier'), t('labels') as Ir.Tensor<Ir.Shape, 'i32'>);
}

/** Eager, with tfjs's fused matmul + bias. */
function tfjs(batch: number, seq: number): Programs['tfjs'] {
  return (tf, t) => {
    const linear = (x: Tensor, name: string) =>
      tf.fused.matMul({ a: x as Tensor<Rank.R2>, b: t(`${name}.weight`) as Tensor<Rank.R2>, bias: t(`${name}.bias`) });
    const norm = (x: Tensor, name: string) => {
      const centered = x.sub(x.mean(-1, true));
      const variance = centered.square().mean(-1, true);
      return centered
        .mul(variance.add(epsilon).rsqrt())
        .mul(t(`${name}.weight`))
        .add(t(`${name}.bias`));
    };
    const gelu = (x: Tensor) => x.mul(0.5).mul(tf.erf(x.mul(Math.SQRT1_2)).add(1));
    const split = (x: Tensor) => x.reshape([batch, seq, heads, headSize]).transpose([0, 2, 1, 3]);

    const masked = t('mask').cast('float32').sub(1).mul(-far).reshape([batch, 1, 1, seq]);
    let x: Tensor = norm(tf.gather(t('words'), t('ids').cast('int32')).add(t('positions')), 'embeddings.norm');
    x = x.reshape([batch * seq, hidden]);
    for (const l of layerNames) {
      const [q, k, v] = ['query', 'key', 'value'].map((name) => split(linear(x, l + name))) as [Tensor, Tensor, Tensor];
      const scores = tf
        .matMul(q, k, false, true)
        .mul(1 / Math.sqrt(headSize))
        .add(masked);
      const mixed = tf
        .matMul(tf.softmax(scores), v)
        .transpose([0, 2, 1, 3])
        .reshape([batch * seq, hidden]);
      x = norm(linear(mixed, `${l}output`).add(x), `${l}output.norm`);
      x = norm(linear(gelu(linear(x, `${l}up`)), `${l}down`).add(x), `${l}down.norm`);
    }
    return x;
  };
}

function jax(batch: number, seq: number): Programs['jax'] {
  return ({ numpy: np, nn }, t) => {
    type Array = Jax.Array;
    const linear = (x: Array, name: string) => np.matmul(x, t(`${name}.weight`)).add(t(`${name}.bias`));
    const norm = (x: Array, name: string) => {
      const centered = x.ref.sub(np.mean(x, -1, { keepdims: true }));
      const variance = np.mean(np.square(centered.ref), -1, { keepdims: true });
      const normal = centered.mul(np.reciprocal(np.sqrt(variance.add(epsilon))));
      return normal.mul(t(`${name}.weight`)).add(t(`${name}.bias`));
    };
    const split = (x: Array) => x.reshape([batch, seq, heads, headSize]).transpose([0, 2, 1, 3]);

    const masked = t('mask').astype(np.float32).sub(1).mul(-far).reshape([batch, 1, 1, seq]);
    let x = norm(np.take(t('words'), t('ids'), 0).add(t('positions')), 'embeddings.norm').reshape([
      batch * seq,
      hidden,
    ]);
    for (const l of layerNames) {
      const [q, k, v] = ['query', 'key', 'value'].map((name) => split(linear(x.ref, l + name))) as [
        Array,
        Array,
        Array,
      ];
      const scores = np
        .matmul(q, k.transpose([0, 1, 3, 2]))
        .mul(1 / Math.sqrt(headSize))
        .add(masked.ref);
      const mixed = np
        .matmul(nn.softmax(scores, -1), v)
        .transpose([0, 2, 1, 3])
        .reshape([batch * seq, hidden]);
      x = norm(linear(mixed, `${l}output`).add(x), `${l}output.norm`);
      x = norm(linear(nn.gelu(linear(x.ref, `${l}up`), { approximate: false }), `${l}down`).add(x), `${l}down.norm`);
    }
    return { output: x };
  };
}

/** As PyTorch's exporter writes BERT, so that onnxruntime's own fusions find their patterns. */
function onnx(batch: number, seq: number): Programs['onnx'] {
  return (g, t) => {
    const linear = (x: OnnxValue, name: string) =>
      g.op('Add', [g.op('MatMul', [x, t(`${name}.weight`)]), t(`${name}.bias`)]);
    const norm = (x: OnnxValue, name: string) =>
      g.op('LayerNormalization', [x, t(`${name}.weight`), t(`${name}.bias`)], {
        axis: -1,
        epsilon: { float: epsilon },
      });
    const byHead = g.integers(batch, seq, heads, headSize);
    const joined = g.integers(batch, seq, hidden);
    const split = (x: OnnxValue, perm: number[]) => g.op('Transpose', [g.op('Reshape', [x, byHead])], { perm });

    const kept = g.op('Cast', [g.op('Unsqueeze', [t('mask'), g.integers(1, 2)])], { to: 1 });
    const masked = g.op('Mul', [g.op('Sub', [g.scalar(1), kept]), g.scalar(far)]);
    const embedded = g.op('Add', [g.op('Gather', [t('words'), t('ids')], { axis: 0 }), t('positions')]);
    let x = norm(embedded, 'embeddings.norm');
    for (const l of layerNames) {
      const q = split(linear(x, `${l}query`), [0, 2, 1, 3]);
      const k = split(linear(x, `${l}key`), [0, 2, 3, 1]);
      const v = split(linear(x, `${l}value`), [0, 2, 1, 3]);
      const scores = g.op('Div', [g.op('MatMul', [q, k]), g.scalar(Math.sqrt(headSize))]);
      const weights = g.op('Softmax', [g.op('Add', [scores, masked])], { axis: -1 });
      const mixed = g.op('Transpose', [g.op('MatMul', [weights, v])], { perm: [0, 2, 1, 3] });
      x = norm(g.op('Add', [linear(g.op('Reshape', [mixed, joined]), `${l}output`), x]), `${l}output.norm`);
      x = norm(g.op('Add', [linear(g.op('Gelu', [linear(x, `${l}up`)]), `${l}down`), x]), `${l}down.norm`);
    }
    return x;
  };
}
