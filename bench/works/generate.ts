/**
 * Generation with a GPT of any size with seeded weights: reading a prompt (prefill) and one more token (decode). The keys and values of what was
 * read lie in caches. Every token reads every weight once, so decoding is bound by memory: weights can also be `f16`, or `i8` with
 * a scale for each output, and are widened where they are used.
 */
import type * as Ir from '@sinter/ir';
import type { OnnxValue } from '../drive/onnx-writer.ts';
import { floats, integers, type Values } from '../harness/values.ts';
import type { Lookup, Programs, Work } from '../harness/work.ts';
import { epsilon, far, gptParameters, layerNames, type GptShape } from './gpt.ts';

/** How the weights of linear layers and the embedding of words are stored. */
export type Stored = 'f32' | 'f16' | 'i8';

/** Tokens that the caches hold. */
const longest = 512;

/** The logits of the token after a prompt of `seq` tokens. */
export function gptPrefill(name: string, shape: GptShape, seq: number): Work {
  return generation(`${name} prefill 1×${seq}`, shape, { read: 0, seq, stored: 'f32' });
}

/** The logits of the token after one more, when `read` tokens were read before. */
export function gptDecode(name: string, shape: GptShape, read: number, stored: Stored): Work {
  const work = generation(`${name} decode after ${read}, ${stored}`, shape, { read, seq: 1, stored });
  return { ...work, moves: { read: bytesOf(work.params, stored), written: 0 } };
}

interface Reading {
  /** Tokens that lie in the caches. */ readonly read: number;
  /** Tokens that are read now. */ readonly seq: number;
  readonly stored: Stored;
}

function generation(name: string, shape: GptShape, reading: Reading): Work {
  const { layers, hidden, heads, vocabulary } = shape;
  const { read, seq, stored } = reading;
  const cache = floats([heads, longest, hidden / heads]);
  const caches = layerNames(layers).flatMap((l) => [`${l}keys`, `${l}values`]);
  const attended = seq * (read + (seq + 1) / 2);
  return {
    name,
    place: 'cpu',
    flops: layers * (24 * seq * hidden * hidden + 4 * attended * hidden) + 2 * hidden * vocabulary,
    tokens: seq,
    params: storedAs(stored, gptParameters(shape)),
    inputs: { ids: integers([seq], vocabulary), at: { shape: [1], dtype: 'i32', low: read, high: read } },
    slots: Object.fromEntries(caches.map((key) => [key, cache])),
    programs: {
      sinter: (ir, t) => sinter(ir, t, shape, reading),
      ...(stored === 'f32' && {
        onnx: onnx(shape, reading),
        torch: `gpt(t, layers=${layers}, heads=${heads}, read=${read})`,
      }),
    },
  };
}

/** Weights of linear layers, and the embedding of words, in another form; each output of an `i8` layer has a scale. */
function storedAs(stored: Stored, params: Record<string, Values>): Record<string, Values> {
  if (stored === 'f32') return params;
  return Object.fromEntries(
    Object.entries(params).flatMap(([name, values]): [string, Values][] => {
      if (!isLarge(name, values)) return [[name, values]];
      if (stored === 'f16') return [[name, { ...values, stored: 'f16' }]];
      const [rows, columns] = values.shape as [number, number];
      const step = values.high / 127;
      return [
        [name, { shape: values.shape, dtype: 'i32', low: -127, high: 128, stored: 'i8' }],
        [`${name}.scale`, { shape: [name === 'words' ? rows : columns], dtype: 'f32', low: step, high: step }],
      ];
    }),
  );
}

const isLarge = (name: string, { shape }: Values): boolean => shape.length === 2 && name !== 'positions';

/** The bytes of the weights that one token reads: all but the rows of the embedding of positions. */
function bytesOf(params: Readonly<Record<string, Values>>, stored: Stored): number {
  const width = { f32: 4, f16: 2, i8: 1 }[stored];
  return Object.entries(params).reduce(
    (sum, [name, values]) => sum + (isLarge(name, values) ? width * values.shape[0]! * values.shape[1]! : 0),
    0,
  );
}

function sinter(
  ir: typeof Ir,
  t: Lookup<Ir.Tensor>,
  { layers, hidden, heads, vocabulary }: GptShape,
  { read, seq, stored }: Reading,
): { readonly output: Ir.Tensor; readonly updates: Ir.Tensors } {
  const { add, cast, concat, contract, full, gather, gelu, iota, layerNorm, less, matmul, mul, reshape, slice, where } =
    ir;
  type Ids = Ir.Tensor<Ir.Shape, 'i32'>;
  const size = hidden / heads;
  const total = read + seq;
  const weight = (name: string): Ir.Tensor => {
    const wide = cast(t(name), 'f32') as Ir.Tensor;
    return stored === 'i8' ? (mul(wide, t(`${name}.scale`)) as Ir.Tensor) : wide;
  };
  const linear = (x: Ir.Tensor, name: string) =>
    add(matmul(x, weight(`${name}.weight`)), t(`${name}.bias`)) as Ir.Tensor;
  const norm = (x: Ir.Tensor, name: string) => layerNorm(x, t(`${name}.weight`), t(`${name}.bias`), epsilon);
  // The table of words has a scale for each word, which is an output of the head.
  const words = cast(t('words'), 'f32') as Ir.Tensor;
  const table = stored === 'i8' ? (mul(words, reshape(t('words.scale'), [vocabulary, 1])) as Ir.Tensor) : words;

  const at = t('at') as Ir.Tensor<readonly [1], 'i32'>;
  const none = full([1], 0, 'i32');
  const start = concat([none, at, none]) as Ids;
  const later = less(add(iota([seq, total], 0), read), iota([seq, total], 1));
  const bias = where(later, full([], far, 'f32'), full([], 0, 'f32'));
  const updates: Record<string, Ir.Tensor> = {};
  /** All that was read, the new tokens among it. */
  const remember = (key: string, now: Ir.Tensor): Ir.Tensor => {
    const cache = ir.updateSlice(t(key), ir.transpose(now, [1, 0, 2]), start as never);
    updates[key] = cache;
    return slice(cache, { starts: [0, 0, 0], ends: [heads, total, size] });
  };

  const ids = t('ids') as Ids;
  const places = add(iota([seq], 0), at) as Ids;
  let x = add(gather(table, ids), gather(t('positions'), places)) as Ir.Tensor;
  for (const l of layerNames(layers)) {
    const normal = norm(x, `${l}attention.norm`);
    const split = (name: string) => reshape(linear(normal, l + name), [seq, heads, size]);
    const query = split('query');
    const keys = remember(`${l}keys`, split('key'));
    const values = remember(`${l}values`, split('value'));
    const scores = mul(contract('qhd,hkd->hqk', query, keys), 1 / Math.sqrt(size)) as Ir.Tensor;
    const probs = ir.softmax(add(scores, bias) as Ir.Tensor);
    const context = contract('hqk,hkd->qhd', probs, values);
    x = add(x, linear(reshape(context, [seq, hidden]), `${l}output`)) as Ir.Tensor;
    const inner = gelu(linear(norm(x, `${l}inner.norm`), `${l}up`), { approximate: 'tanh' });
    x = add(x, linear(inner as Ir.Tensor, `${l}down`)) as Ir.Tensor;
  }
  const last = slice(x, { starts: [seq - 1, 0], ends: [seq, hidden] });
  return { output: contract('mk,nk->mn', norm(last, 'last.norm'), table), updates };
}

/** The caches are constants of the model, so they are not copied in as inputs would be. */
function onnx({ layers, hidden, heads }: GptShape, { read, seq }: Reading): NonNullable<Programs['onnx']> {
  const size = hidden / heads;
  return (g, t) => {
    const linear = (x: OnnxValue, name: string) =>
      g.op('Add', [g.op('MatMul', [x, t(`${name}.weight`)]), t(`${name}.bias`)]);
    const norm = (x: OnnxValue, name: string) =>
      g.op('LayerNormalization', [x, t(`${name}.weight`), t(`${name}.bias`)], {
        axis: -1,
        epsilon: { float: epsilon },
      });
    const byHead = g.integers(seq, heads, size);
    const split = (x: OnnxValue) => g.op('Transpose', [g.op('Reshape', [x, byHead])], { perm: [1, 0, 2] });
    const remember = (key: string, now: OnnxValue): OnnxValue => {
      if (read === 0) return now;
      const before = g.op('Slice', [t(key), g.integers(0), g.integers(read), g.integers(1)]);
      return g.op('Concat', [before, now], { axis: 1 });
    };
    const hidden2 = g.integers(seq, hidden);
    const total = read + seq;
    const causal = Float32Array.from({ length: seq * total }, (_, i) =>
      i % total > read + Math.floor(i / total) ? far : 0,
    );
    const bias = g.constant(causal, [seq, total]);
    const places = g.op('Slice', [t('positions'), g.integers(read), g.integers(total), g.integers(0)]);
    let x = g.op('Add', [g.op('Gather', [t('words'), t('ids')], { axis: 0 }), places]);
    for (const l of layerNames(layers)) {
      const normal = norm(x, `${l}attention.norm`);
      const query = split(linear(normal, `${l}query`));
      const keys = remember(`${l}keys`, split(linear(normal, `${l}key`)));
      const values = remember(`${l}values`, split(linear(normal, `${l}value`)));
      const turned = g.op('Transpose', [keys], { perm: [0, 2, 1] });
      const scores = g.op('Div', [g.op('MatMul', [query, turned]), g.scalar(Math.sqrt(size))]);
      const probs = g.op('Softmax', [g.op('Add', [scores, bias])], { axis: -1 });
      const context = g.op('Transpose', [g.op('MatMul', [probs, values])], { perm: [1, 0, 2] });
      x = g.op('Add', [x, linear(g.op('Reshape', [context, hidden2]), `${l}output`)]);
      const inner = g.op('Gelu', [linear(norm(x, `${l}inner.norm`), `${l}up`)], { approximate: 'tanh' });
      x = g.op('Add', [x, linear(inner, `${l}down`)]);
    }
    const last = g.op('Slice', [x, g.integers(seq - 1), g.integers(seq), g.integers(0)]);
    return g.op('MatMul', [norm(last, 'last.norm'), g.op('Transpose', [t('words')], { perm: [1, 0] })]);
  };
}
