/**
 * The graphs of a model that writes. They share weights and caches: `read` takes a text of any length (and the source, where there is an encoder), `next`
 * one more token, `check` several with the logits of each, and `lift` and `lay` together give each row of the caches to another text.
 */
import { dimValue, full, gather, graph, graphDims, input, reshape, slice, state, sub, updateSlice } from '@sinter/ir';
import type { Dim, Graph, Shape, Tensor } from '@sinter/ir';
import type { Architecture, DecodeInputs, ModelOutputs } from '../architecture.ts';
import type { ModelConfig } from '../config.ts';
import { keyValueCache } from '../layers/cache.ts';
import type { KeyValueCache } from '../layers/cache.ts';
import { statesAt } from '../layers/states.ts';
import { scope } from '../scope.ts';

/** How much the caches hold. */
export interface Sizes {
  /** Texts. */
  readonly batch: number;
  /** Tokens of each. */
  readonly length: number;
  /** Tokens of each source; 0 where there is no encoder. */
  readonly source: number;
}

/** What the programs are called; `lift all` moves what was computed of sources too. */
export type Kind = 'read' | 'next' | 'check' | 'lift' | 'lay' | 'lift all' | 'lay all';

/** The graph of a program, with the most of each run-time size. */
export interface Job {
  readonly graph: Graph;
  readonly dims: Readonly<Record<string, number | { readonly max: number }>>;
}

/** What of an architecture is needed to write. */
export type Writing<C extends ModelConfig, O extends ModelOutputs> = Pick<
  Architecture<C, O>,
  'name' | 'encode' | 'decode'
>;

/** Makes the graph of a program. */
export function jobOf<C extends ModelConfig, O extends ModelOutputs>(
  writing: Writing<C, O>,
  config: C,
  kind: Kind,
  sizes: Sizes,
): Job {
  const moves = kind.startsWith('lift') || kind.startsWith('lay');
  const made = moves ? movingGraph(writing, config, kind, sizes) : writingGraph(writing, config, kind, sizes).graph;
  // What is known when compiling makes better kernels.
  const limits = {
    batch: sizes.batch === 1 ? 1 : { max: sizes.batch },
    n: kind === 'next' ? 1 : { max: sizes.length },
    total: { max: sizes.length },
    source: { max: sizes.source },
  };
  const names = graphDims(made);
  return { graph: made, dims: Object.fromEntries(Object.entries(limits).filter(([name]) => names.includes(name))) };
}

function writingGraph<C extends ModelConfig, O extends ModelOutputs>(
  { name, encode, decode }: Writing<C, O>,
  config: C,
  kind: Kind,
  { batch, length, source }: Sizes,
): { readonly graph: Graph; readonly cache: KeyValueCache } {
  const cache = keyValueCache({
    batch,
    length,
    at: input('at', [1], 'i32'),
    total: 'total',
    ...(encode && { source: { batch: 'batch', tokens: 'source', length: source } }),
  });
  const root = scope();
  const encoder_attention_mask = input('encoder_attention_mask', ['batch', 'source'], 'i32');
  const inputs: DecodeInputs = {
    input_ids: input('input_ids', ['batch', 'n'], 'i32'),
    position_ids: input('position_ids', ['batch', 'n'], 'i32'),
    attention_mask: input('attention_mask', ['batch', 'total'], 'i32'),
    ...(encode && { encoder_attention_mask }),
    ...(encode &&
      kind === 'read' && {
        encoder_hidden_states: encode(root, config, {
          input_ids: input('encoder_input_ids', ['batch', 'source'], 'i32'),
          attention_mask: encoder_attention_mask,
        }),
      }),
  };
  const { states, logits } = decode!(root, config, inputs, cache);
  const of = kind === 'check' ? states : lastOf(states);
  const built = graph(`${name}: ${kind}`, { outputs: { logits: logits(of) }, updates: cache.updates });
  return { graph: built, cache };
}

/** The state of the last token only, `[batch, 1, size]`: the others need not go through the head. */
function lastOf(states: Tensor): Tensor {
  const last = statesAt(states, sub(dimValue('n', 'i32'), 1) as Tensor<Shape, 'i32'>);
  const [rows, size] = last.shape as readonly [Dim, number];
  return reshape(last, [rows, 1, size]);
}

/**
 * Text `i` goes on from what text `rows[i]` has read. It takes two programs, because what is read and written in one run would be copied as
 * a whole; so only what is filled is copied.
 */
function movingGraph<C extends ModelConfig, O extends ModelOutputs>(
  writing: Writing<C, O>,
  config: C,
  kind: Kind,
  sizes: Sizes,
): Graph {
  const { cache } = writingGraph(writing, config, kind.endsWith('all') ? 'read' : 'next', sizes);
  const isLift = kind.startsWith('lift');
  const rows = input('rows', ['batch'], 'i32');
  const start = full([4], 0, 'i32') as unknown as Tensor<readonly [4], 'i32'>;
  const filled: Record<string, Tensor> = {};
  const updates: Record<string, Tensor> = {};
  for (const [key, { shape }] of Object.entries(cache.updates)) {
    const own = state(key, shape as readonly number[]) as Tensor;
    const other = state(`lifted.${key}`, shape as readonly number[]) as Tensor;
    // Caches of sources and of texts differ in how much of them is filled.
    const of = cache.kept.has(key) ? 'source' : 'total';
    filled[of] ??= input(of, [of], 'i32');
    const cut = (x: Tensor, texts?: Dim): Tensor =>
      slice(x, { starts: [0, 0, 0, 0], ends: [texts, undefined, of, undefined] });
    if (isLift) updates[`lifted.${key}`] = updateSlice(other, gather(cut(own), rows), start);
    else updates[key] = updateSlice(own, cut(other, 'batch'), start);
  }
  return graph(`${writing.name}: ${kind}`, { outputs: { rows, ...filled }, updates });
}
