/**
 * What GGUF files call tensors and settings, and what Hugging Face's checkpoints call them: one row per architecture.
 * Source: `constants.py` and `tensor_mapping.py` of https://github.com/ggml-org/llama.cpp/tree/master/gguf-py/gguf, and `convert_hf_to_gguf.py`
 * for what it does to weights on the way.
 */
import type { ConfigKeys } from '../config.ts';
import { CheckpointError } from './errors.ts';
import type { GgufHeader, GgufValue } from './gguf-header.ts';
import type { Order } from './strided.ts';

/** How a tensor is stored there: as here, with its axes exchanged, or with the rows of its heads in the order of rotated pairs. */
export type GgufLayout = 'same' | 'transposed' | 'paired';

/** An architecture of GGUF as a model of Hugging Face. */
interface GgufArchitecture {
  /** The class whose weights these are. */
  readonly model: string;
  /** Keys of `config.json` by keys of the header, without the name of the architecture in front. */
  readonly keys: Readonly<Record<string, string>>;
  /** Names of tensors without the ending `.weight` or `.bias`; `blk.0` and `layers.0` are written as `blk.N` and `layers.N`. */
  readonly names: Readonly<Record<string, string>>;
  readonly layout: (name: string) => GgufLayout;
}

const llama: GgufArchitecture = {
  model: 'LlamaForCausalLM',
  keys: {
    context_length: 'max_position_embeddings',
    block_count: 'num_hidden_layers',
    feed_forward_length: 'intermediate_size',
    embedding_length: 'hidden_size',
    vocab_size: 'vocab_size',
    'rope.freq_base': 'rope_theta',
    'attention.head_count': 'num_attention_heads',
    'attention.head_count_kv': 'num_key_value_heads',
    'attention.key_length': 'head_dim',
    'attention.layer_norm_rms_epsilon': 'rms_norm_eps',
  },
  names: {
    token_embd: 'model.embed_tokens',
    output_norm: 'model.norm',
    output: 'lm_head',
    'blk.N.attn_norm': 'model.layers.N.input_layernorm',
    'blk.N.attn_q': 'model.layers.N.self_attn.q_proj',
    'blk.N.attn_k': 'model.layers.N.self_attn.k_proj',
    'blk.N.attn_v': 'model.layers.N.self_attn.v_proj',
    'blk.N.attn_output': 'model.layers.N.self_attn.o_proj',
    'blk.N.ffn_norm': 'model.layers.N.post_attention_layernorm',
    'blk.N.ffn_gate': 'model.layers.N.mlp.gate_proj',
    'blk.N.ffn_up': 'model.layers.N.mlp.up_proj',
    'blk.N.ffn_down': 'model.layers.N.mlp.down_proj',
  },
  layout: (name) => (/attn_[qk]$/.test(name) ? 'paired' : 'same'),
};

const architectures: Readonly<Record<string, GgufArchitecture>> = {
  llama,
  qwen2: { ...llama, model: 'Qwen2ForCausalLM', layout: () => 'same' },
  gpt2: {
    model: 'GPT2LMHeadModel',
    keys: {
      context_length: 'n_positions',
      block_count: 'n_layer',
      feed_forward_length: 'n_inner',
      embedding_length: 'n_embd',
      vocab_size: 'vocab_size',
      'attention.head_count': 'n_head',
      'attention.layer_norm_epsilon': 'layer_norm_epsilon',
    },
    names: {
      token_embd: 'transformer.wte',
      position_embd: 'transformer.wpe',
      output_norm: 'transformer.ln_f',
      output: 'lm_head',
      'blk.N.attn_norm': 'transformer.h.N.ln_1',
      'blk.N.attn_qkv': 'transformer.h.N.attn.c_attn',
      'blk.N.attn_output': 'transformer.h.N.attn.c_proj',
      'blk.N.ffn_norm': 'transformer.h.N.ln_2',
      'blk.N.ffn_up': 'transformer.h.N.mlp.c_fc',
      'blk.N.ffn_down': 'transformer.h.N.mlp.c_proj',
    },
    layout: (name) => (/(attn_qkv|attn_output|ffn_up|ffn_down)$/.test(name) ? 'transposed' : 'same'),
  },
};

/** The keys of the tokenizer that `config.json` has too. */
const tokens: Readonly<Record<string, string>> = {
  'tokenizer.ggml.bos_token_id': 'bos_token_id',
  'tokenizer.ggml.eos_token_id': 'eos_token_id',
  'tokenizer.ggml.padding_token_id': 'pad_token_id',
};

/** The configuration that a header tells, with the keys of `config.json`. @throws CheckpointError `unsupported` */
export function ggufConfig({ metadata, tensors }: GgufHeader, where: string): ConfigKeys {
  const [name, { model, keys }] = architectureOf(metadata, where);
  const config: Record<string, unknown> = { model_type: name, architectures: [model] };
  for (const [from, to] of [
    ...Object.entries(keys).map(([key, to]) => [`${name}.${key}`, to]),
    ...Object.entries(tokens),
  ]) {
    const value = metadata.get(from!);
    if (value !== undefined) config[to!] = value;
  }
  // Headers may leave these out, and the tensors tell.
  config['vocab_size'] ??= tensors.get('token_embd.weight')?.shape[0];
  if (!tensors.has('output.weight')) config['tie_word_embeddings'] = true;
  else if (name !== 'gpt2') config['tie_word_embeddings'] = false;
  const scaling = metadata.get(`${name}.rope.scaling.type`);
  if (scaling === 'linear')
    config['rope_scaling'] = { rope_type: 'linear', factor: metadata.get(`${name}.rope.scaling.factor`) };
  else if ((scaling !== undefined && scaling !== 'none') || tensors.has('rope_freqs.weight'))
    throw new CheckpointError('unsupported', {
      asked: 'the configuration of a GGUF file',
      found: `its positions are scaled in a way (${String(scaling ?? 'rope_freqs.weight')}) that it does not describe in full`,
      where,
      fix: 'Take the safetensors of the same model.',
    });
  return config;
}

/** What a tensor is called at Hugging Face, and how it is laid out; one of another name keeps it. @throws CheckpointError `unsupported` */
export function ggufNames(
  metadata: GgufHeader['metadata'],
  where: string,
): (name: string) => { readonly name: string; readonly layout: GgufLayout } {
  const [, { names, layout }] = architectureOf(metadata, where);
  return (full) => {
    const [, name, ending] = /^(.*)\.(weight|bias)$/.exec(full) ?? [];
    const number = /(?<=^blk\.)\d+/.exec(name ?? '')?.[0];
    const known = names[(name ?? '').replace(/(?<=^blk\.)\d+/, 'N')];
    if (known === undefined) return { name: full, layout: 'same' };
    const isMatrix = ending === 'weight';
    return {
      name: `${known.replace('.N.', `.${number}.`)}.${ending}`,
      layout: isMatrix || layout(name!) === 'paired' ? layout(name!) : 'same',
    };
  };
}

/** The shape of a tensor as Hugging Face has it, and the order of its elements in the file. */
export function ggufOrder(
  layout: GgufLayout,
  shape: readonly number[],
  metadata: GgufHeader['metadata'],
  name: string,
): { readonly shape: readonly number[]; readonly order: Order } | undefined {
  const [rows = 1, columns = 1] = shape;
  if (layout === 'transposed' && shape.length === 2)
    return { shape: [columns, rows], order: { shape: [columns, rows], strides: [1, columns] } };
  if (layout !== 'paired') return undefined;
  // The two halves of each head, which are rotated together, stand there row by row in turn.
  const family = String(metadata.get('general.architecture'));
  const queries = Number(metadata.get(`${family}.attention.head_count`));
  const heads = /q_proj/.test(name) ? queries : Number(metadata.get(`${family}.attention.head_count_kv`) ?? queries);
  const half = rows / heads / 2;
  if (!Number.isInteger(half)) return undefined;
  return {
    shape,
    order: { shape: [heads, 2, half, columns], strides: [2 * half * columns, columns, 2 * columns, 1] },
  };
}

function architectureOf(metadata: GgufHeader['metadata'], where: string): [string, GgufArchitecture] {
  const name: GgufValue | undefined = metadata.get('general.architecture');
  if (typeof name === 'string' && Object.hasOwn(architectures, name)) return [name, architectures[name]!];
  throw new CheckpointError('unsupported', {
    asked: 'the model of a GGUF file',
    found: name === undefined ? 'it does not say its architecture' : `its architecture is ${JSON.stringify(name)}`,
    where,
    fix: `Those that are read are ${Object.keys(architectures).join(', ')}; of others take the safetensors.`,
  });
}
