/** Why a model said what it did of a text: a number for each token, by integrated gradients or by attention rollout. */
import type { Backend } from '@sinter/compiler';
import type { TensorData } from '@sinter/ir';
import type { ModelOutputs } from '../architecture.ts';
import type { ModelConfig } from '../config.ts';
import { ConfigError, InputError } from '../errors.ts';
import type { PreTrainedModel } from '../model.ts';
import type { PreTrainedTokenizer } from '../tokenizer/tokenizer.ts';
import { looksBack, rollout } from './attention-rollout.ts';
import { integrate } from './integrated-gradients.ts';
import { ask } from './programs.ts';
import { namesOf, trace } from './trace.ts';

/** The options of {@link explainPrediction}. */
export interface ExplainOptions {
  /** A label or its number, or a token's number where logits are of tokens. Default: the one with the largest logit. */
  readonly target?: number | string;
  /** The token whose logits are explained, where each has some. Default: the first mask, else the last token. */
  readonly position?: number;
  /**
   * `integrated_gradients`: how much each token moves the logit, compared with `baseline`; `attention_rollout`: how much of each token is in the state from which
   * the prediction is made, whatever is predicted. Default: `integrated_gradients`.
   */
  readonly method?: 'integrated_gradients' | 'attention_rollout';
  /** Of integrated gradients: at how many places gradients are taken. Default: 32. */
  readonly steps?: number;
  /** Of integrated gradients: what stands for tokens that say nothing; special tokens stay. Default: `'pad'` if there is such a token, else `'zero'`. */
  readonly baseline?: 'pad' | 'mask' | 'zero';
  /** Where it runs. Default: `defaultBackend()`, the processor. */
  readonly backend?: Backend;
}

/** Why a model said what it did. */
export interface Explanation {
  readonly method: 'integrated_gradients' | 'attention_rollout';
  /** The tokens of the text, special ones too. */
  readonly tokens: readonly {
    readonly id: number;
    readonly token: string;
    /** Integrated gradients: what it adds to the logit, less than 0 if it speaks against it. Attention rollout: its share, all of which add up to 1. */
    readonly score: number;
  }[];
  /** What is explained. */
  readonly target: { readonly index: number; readonly label: string };
  /** The logit of the target. */
  readonly value: number;
  /** Of integrated gradients: the logit of the target of tokens that say nothing. */
  readonly baseline?: number;
  /**
   * Of integrated gradients: by how much the scores together differ from `value − baseline`, which they should be. What is left is the error of the
   * integral; it shrinks with more `steps`.
   */
  readonly convergence_delta?: number;
}

/**
 * Explains the prediction of a model with `logits` for one text: of a classifier, of a model of masked tokens, or of the next token.
 * @throws InputError for a target that there is not; ConfigError for a model that has no logits or attentions of this kind
 */
export async function explainPrediction<C extends ModelConfig, O extends ModelOutputs>(
  model: PreTrainedModel<C, O>,
  tokenizer: PreTrainedTokenizer,
  text: string,
  options: ExplainOptions = {},
): Promise<Explanation> {
  const { method = 'integrated_gradients', steps = 32, backend } = options;
  if (!Number.isInteger(steps) || steps < 1)
    throw new InputError(`steps is ${steps}; it must be a whole number from 1 on`);
  const encoded = tokenizer([text], { return_tensors: 'i32', truncation: true }) as Readonly<
    Record<string, TensorData>
  >;
  const inputs = Object.fromEntries(Object.entries(encoded).filter(([name]) => name in model.inputs));
  const ids = [...(inputs['input_ids']!.data as Int32Array)];
  const { logits } = (await trace(model, inputs, { backend })).outputs;
  if (!logits || logits.shape.length < 2 || logits.shape[0] !== 1)
    throw new ConfigError(`${model.architecture.name} has no logits of texts or tokens, which could be explained`);
  const ofTokens = logits.shape.length === 3;
  const mask = ids.indexOf(tokenizer.mask_token_id ?? -1);
  const position = options.position ?? (mask >= 0 ? mask : ids.length - 1);
  const count = logits.shape.at(-1)!;
  const from = ofTokens ? position * count : 0;
  const own = [...logits.data.slice(from, from + count)];
  const names = ofTokens && model.config.num_labels !== count ? undefined : model.config.id2label;
  const label = (index: number): string => names?.[index] ?? tokenizer.convert_ids_to_tokens(index);
  const index = targetOf(options.target, own, names);
  const target = { index, label: label(index) };
  const told = (scores: readonly number[]): Explanation['tokens'] =>
    ids.map((id, i) => ({ id, token: tokenizer.convert_ids_to_tokens(id), score: scores[i]! }));

  if (method === 'attention_rollout') {
    const attentions = await attentionsOf(model, inputs, backend);
    const to = ofTokens ? position : looksBack(attentions) ? ids.length - 1 : 0;
    return { method, tokens: told(rollout(attentions)[to]!), target, value: own[index]! };
  }
  const { scores, value, baseline } = await integrate(model, {
    ...{ inputs, target: index, position, steps, backend },
    baseline: baselineOf(options.baseline, tokenizer, ids),
  });
  const convergence_delta = scores.reduce((a, b) => a + b, 0) - (value - baseline);
  return { method, tokens: told(scores), target, value, baseline, convergence_delta };
}

function targetOf(
  asked: number | string | undefined,
  logits: readonly number[],
  names: Readonly<Record<number, string>> | undefined,
): number {
  if (asked === undefined) return logits.indexOf(Math.max(...logits));
  const index = typeof asked === 'number' ? asked : Object.values(names ?? {}).indexOf(asked);
  if (Number.isInteger(index) && index >= 0 && index < logits.length) return index;
  const known = names ? `the labels are ${Object.values(names).join(', ')}` : `they are 0 to ${logits.length - 1}`;
  throw new InputError(`the target ${JSON.stringify(asked)} is not among what the model tells; ${known}`);
}

/** Tokens that say nothing, in the place of all but the special ones. */
function baselineOf(
  asked: ExplainOptions['baseline'],
  { pad_token_id, mask_token_id, all_special_ids }: PreTrainedTokenizer,
  ids: readonly number[],
): Int32Array | undefined {
  const kind = asked ?? (typeof pad_token_id === 'number' ? 'pad' : 'zero');
  if (kind === 'zero') return undefined;
  const id = kind === 'pad' ? pad_token_id : mask_token_id;
  if (typeof id !== 'number')
    throw new InputError(`baseline is '${kind}', but the tokenizer has no such token; take 'zero'`);
  return Int32Array.from(ids, (own) => (all_special_ids.includes(own) ? own : id));
}

async function attentionsOf<C extends ModelConfig, O extends ModelOutputs>(
  model: PreTrainedModel<C, O>,
  inputs: Readonly<Record<string, TensorData>>,
  backend: Backend | undefined,
): Promise<TensorData[]> {
  const names = namesOf(model, inputs);
  const graph = model.graph({ inputs: names, output_attentions: true });
  const wanted = Object.keys(graph.outputs).filter((name) => /^attentions\.\d+$/.test(name));
  if (wanted.length === 0)
    throw new ConfigError(`${model.architecture.name} has no attentions of one text, which could be rolled out`);
  const got = await ask(model, {
    backend,
    key: JSON.stringify(['attentions', names]),
    graph: () => model.graph({ inputs: names, output_attentions: true, outputs: wanted }),
    inputs,
  });
  return wanted.map((name) => got[name]!);
}
