/**
 * A training step of a GPT of any size with seeded weights: GPT-2's blocks (Radford et al. 2019; huggingface.co/openai-community/gpt2,
 * config.json) without dropout, the output tied to the embedding, next-token loss, AdamW on every weight.
 */
import type * as Jax from '@jax-js/jax';
import type * as Ir from '@sinter/ir';
import { floats, integers, type Values } from '../harness/values.ts';
import type { Lookup, Programs, Work } from '../harness/work.ts';
import { adamw, adamwJax, adamwSlots } from './adamw.ts';

/** The sizes of a GPT. */
export interface GptShape {
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  readonly vocabulary: number;
  /** Tokens of a sequence. */
  readonly seq: number;
}

/** The smallest of the published GPT-2 models. */
export const gpt2Small: GptShape = { layers: 12, hidden: 768, heads: 12, vocabulary: 50257, seq: 1024 };

/** What is added to a variance. */
export const epsilon = 1e-5;
/** What the score of a later token is lowered by. */
export const far = -1e9;
/**
 * jax-js cannot trace the gradient of an embedding lookup under `jit` (scatter), so its program multiplies by one-hot rows,
 * which costs little where the vocabulary is small and is out of the question where it is large.
 */
const oneHotLimit = 1024;

/** The loss of one step on `batch` sequences; the state after it is trained. */
export function gptStep(name: string, shape: GptShape, batch: number): Work {
  const { layers, hidden, seq, vocabulary } = shape;
  const params = gptParameters(shape);
  const tokens = batch * seq;
  const forwardFlops = tokens * (layers * (24 * hidden * hidden + 4 * seq * hidden) + 2 * hidden * vocabulary);
  return {
    name: `${name} training step ${batch}×${seq}`,
    place: 'cpu',
    flops: 3 * forwardFlops,
    tokens,
    params,
    inputs: { ids: integers([batch, seq], vocabulary), labels: integers([batch, seq], vocabulary) },
    slots: adamwSlots(params),
    programs: {
      sinter: (ir, t) => {
        const loss = sinterLoss(ir, t, shape, batch);
        return { output: loss, updates: adamw(ir, t, loss, Object.keys(params)) };
      },
      ...(vocabulary <= oneHotLimit && { jax: jaxStep(shape, batch, Object.keys(params)) }),
      torch: `gpt_step(t, layers=${layers}, heads=${shape.heads})`,
    },
  };
}

/** Its weights, those of linear layers [in, out]. */
export function gptParameters({ layers, hidden, vocabulary, seq }: GptShape): Record<string, Values> {
  const norm = (name: string) => ({
    [`${name}.weight`]: floats([hidden], 0.1, 1),
    [`${name}.bias`]: floats([hidden], 0.02),
  });
  const linear = (name: string, from: number, to: number) => ({
    [`${name}.weight`]: floats([from, to], 1.7 / Math.sqrt(from)),
    [`${name}.bias`]: floats([to], 0.02),
  });
  const layer = (l: string) => ({
    ...norm(`${l}attention.norm`),
    ...Object.assign({}, ...['query', 'key', 'value', 'output'].map((part) => linear(l + part, hidden, hidden))),
    ...norm(`${l}inner.norm`),
    ...linear(`${l}up`, hidden, 4 * hidden),
    ...linear(`${l}down`, 4 * hidden, hidden),
  });
  return {
    words: floats([vocabulary, hidden], 0.05),
    positions: floats([seq, hidden], 0.05),
    ...Object.assign({}, ...layerNames(layers).map(layer)),
    ...norm('last.norm'),
  };
}

/** What the names of each layer's weights begin with. */
export function layerNames(layers: number): string[] {
  return Array.from({ length: layers }, (_, i) => `layer.${i}.`);
}

function sinterLoss(ir: typeof Ir, t: Lookup<Ir.Tensor>, shape: GptShape, batch: number): Ir.Tensor {
  type Ids = Ir.Tensor<Ir.Shape, 'i32'>;
  const {
    add,
    attention,
    crossEntropy,
    embedding,
    gelu,
    iota,
    layerNorm,
    less,
    matmul,
    matrixTranspose,
    reshape,
    where,
  } = ir;
  const { layers, hidden, heads, seq } = shape;
  const linear = (x: Ir.Tensor, name: string) => add(matmul(x, t(`${name}.weight`)), t(`${name}.bias`)) as Ir.Tensor;
  const norm = (x: Ir.Tensor, name: string) => layerNorm(x, t(`${name}.weight`), t(`${name}.bias`), epsilon);

  const later = less(iota([seq, seq], 0), iota([seq, seq], 1));
  const bias = where(later, ir.full([], far, 'f32'), ir.full([], 0, 'f32'));
  let x: Ir.Tensor = add(embedding(t('ids') as Ids, t('words')), t('positions'));
  for (const l of layerNames(layers)) {
    const normal = norm(x, `${l}attention.norm`);
    const split = (name: string) => reshape(linear(normal, l + name), [batch, seq, heads, hidden / heads]);
    const { context } = attention(split('query'), split('key'), split('value'), { bias });
    x = add(x, linear(reshape(context, [batch, seq, hidden]), `${l}output`));
    const inner = gelu(linear(norm(x, `${l}inner.norm`), `${l}up`), { approximate: 'tanh' });
    x = add(x, linear(inner, `${l}down`));
  }
  const logits = matmul(norm(x, 'last.norm'), matrixTranspose(t('words')));
  return crossEntropy(logits, t('labels') as Ids);
}

function jaxStep(shape: GptShape, batch: number, names: readonly string[]): NonNullable<Programs['jax']> {
  return (jax, t) => {
    const params = Object.fromEntries(names.map((name) => [name, t(name)]));
    const [ids, labels] = [t('ids').flatten(), t('labels').flatten()];
    const loss = (p: typeof params) => jaxLoss(jax, p, ids, labels, shape, batch);
    const [output, gradients] = jax.valueAndGrad(loss)(jax.tree.ref(params));
    return { output, updates: adamwJax(jax, t, params, gradients as typeof params) };
  };
}

function jaxLoss(
  { numpy: np, nn }: typeof Jax,
  p: Readonly<Record<string, Jax.Array>>,
  ids: Jax.Array,
  labels: Jax.Array,
  { layers, hidden, heads, seq, vocabulary }: GptShape,
  batch: number,
): Jax.Array {
  type Array = Jax.Array;
  const t = (name: string) => p[name] as Array;
  const linear = (x: Array, name: string) => np.matmul(x, t(`${name}.weight`)).add(t(`${name}.bias`));
  const norm = (x: Array, name: string) => {
    const centered = x.ref.sub(np.mean(x, -1, { keepdims: true }));
    const variance = np.mean(np.square(centered.ref), -1, { keepdims: true });
    const normal = centered.mul(np.reciprocal(np.sqrt(variance.add(epsilon))));
    return normal.mul(t(`${name}.weight`)).add(t(`${name}.bias`));
  };
  const split = (x: Array) => x.reshape([batch, seq, heads, hidden / heads]).transpose([0, 2, 1, 3]);

  const bias = np
    .tril(np.ones([seq, seq]))
    .sub(1)
    .mul(-far);
  const words = t('words');
  let x = np.matmul(nn.oneHot(ids, vocabulary), words.ref).reshape([batch, seq, hidden]).add(t('positions'));
  for (const l of layerNames(layers)) {
    const normal = norm(x.ref, `${l}attention.norm`);
    const [q, k, v] = [normal.ref, normal.ref, normal].map((n, i) =>
      split(linear(n, l + ['query', 'key', 'value'][i])),
    ) as [Array, Array, Array];
    const scores = np
      .matmul(q, k.transpose([0, 1, 3, 2]))
      .mul(1 / Math.sqrt(hidden / heads))
      .add(bias.ref);
    const mixed = np.matmul(nn.softmax(scores, -1), v).transpose([0, 2, 1, 3]).reshape([batch, seq, hidden]);
    x = x.add(linear(mixed, `${l}output`));
    const inner = nn.gelu(linear(norm(x.ref, `${l}inner.norm`), `${l}up`), { approximate: true });
    x = x.add(linear(inner, `${l}down`));
  }
  bias.dispose();
  const logits = np.matmul(norm(x, 'last.norm').reshape([batch * seq, hidden]), words.transpose());
  const hits = nn.logSoftmax(logits, -1).mul(nn.oneHot(labels, vocabulary));
  return hits.sum().mul(-1 / (batch * seq));
}
