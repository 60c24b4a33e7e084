/**
 * Masked language modelling (Devlin et al. 2018): which token stands where one is masked. As Hugging Face's `…ForMaskedLM`.
 */
import { add, contract } from '@sinter/ir';
import type { Tensor } from '@sinter/ir';
import type { ModelConfig } from '../config.ts';
import { zeros } from '../init.ts';
import type { Init } from '../init.ts';
import type { Activation } from '../layers/activation.ts';
import { layerNorm } from '../layers/layer-norm.ts';
import { lastSize, linear } from '../layers/linear.ts';
import type { MaskedLMOutput } from '../outputs.ts';
import { layer } from '../scope.ts';
import { logitsHead } from './head.ts';
import type { Head, Logits } from './head.ts';
import { tokenLabels, tokenLoss } from './token-labels.ts';

/** `logits` are `[batch, seq, vocab_size]`; labels `i32 [batch, seq]`: what was masked, −100 elsewhere. */
export function maskedLM<C extends ModelConfig & { readonly vocab_size: number }, B>(
  logits: Logits<C, B>,
): Head<C, B, MaskedLMOutput> {
  return logitsHead(
    logits,
    ({ vocab_size }) => tokenLabels(vocab_size),
    (_, made, labels) => tokenLoss(made, labels),
  );
}

/** The options of {@link wordLogits}. */
export interface WordLogitsOptions {
  /** What the family calls the parts, from the place of the head on: two layers, the matrix of words, and the place of its `bias`. */
  readonly names: {
    readonly dense: string;
    readonly norm: string;
    readonly decoder: string;
    readonly bias: string;
  };
  /** The table that embeds ids, `[vocab_size, size]`, where it also tells words (tied); a number: a matrix of its own, of so many words. */
  readonly words: Tensor | number;
  readonly activation: Activation;
  /** Of the normalisation. */
  readonly eps: number;
  /** How weights begin. */
  readonly init: Init;
}

/** How well each word fits each state `[batch, seq, size]`: one more layer, and a product with all words; `[batch, seq, vocab_size]`. */
export const wordLogits = layer((scope, states: Tensor, options: WordLogitsOptions): Tensor => {
  const { names, words, activation, eps, init } = options;
  const size = lastSize('wordLogits', states);
  const dense = activation(linear(scope.at(names.dense), states, size, { init }));
  const table = typeof words === 'number' ? scope.at(names.decoder).param('weight', [words, size], init) : words;
  const fit = contract('bsh,vh->bsv', layerNorm(scope.at(names.norm), dense, eps), table);
  return add(fit, scope.at(names.bias).param('bias', [lastSize('wordLogits', fit)], zeros)) as Tensor;
});
