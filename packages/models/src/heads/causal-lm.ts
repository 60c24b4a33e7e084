/** Language modelling (Bengio et al. 2003): which token follows. As Hugging Face's `…ForCausalLM`, and with what writing token by token needs. */
import { contract } from '@sinter/ir';
import type { Tensor } from '@sinter/ir';
import type { Architecture, DecodeInputs } from '../architecture.ts';
import type { ModelConfig } from '../config.ts';
import type { Init } from '../init.ts';
import type { KeyValueCache } from '../layers/cache.ts';
import { nextTokenLabels, nextTokenLoss } from '../layers/causal.ts';
import { lastSize, linear } from '../layers/linear.ts';
import type { BaseModelOutput, CausalLMOutput } from '../outputs.ts';
import type { Scope } from '../scope.ts';
import { logitsHead, withHead } from './head.ts';

/** What a family says of its model that predicts the next token. */
export interface CausalLM<C extends ModelConfig> {
  readonly name: string;
  /** The base model on more tokens, after those of the cache; `scope` is where the base lies. */
  model(scope: Scope, config: C, inputs: DecodeInputs, options: { readonly cache: KeyValueCache }): BaseModelOutput;
  /** `[batch, n, vocab_size]` of states `[batch, n, size]`; `scope` is where base and head lie. */
  logits(scope: Scope, config: C, states: Tensor): Tensor;
}

/** A model that predicts the next token: labels are the ids themselves, −100 where one does not count. */
export function causalLM<C extends ModelConfig & { readonly vocab_size: number }>(
  base: Architecture<C, BaseModelOutput>,
  { name, model, logits }: CausalLM<C>,
): Architecture<C, CausalLMOutput> {
  const head = logitsHead<C, BaseModelOutput>(
    (scope, config, { last_hidden_state }) => logits(scope, config, last_hidden_state),
    ({ vocab_size }) => nextTokenLabels(vocab_size),
    (_, made, labels) => nextTokenLoss(made, labels),
  );
  return {
    ...withHead<C, BaseModelOutput, CausalLMOutput>(base, name, head),
    decode: (scope, config, inputs, cache) => ({
      states: model(scope.at(base.base_model_prefix), config, inputs, { cache }).last_hidden_state,
      logits: (states) => logits(scope, config, states),
    }),
  };
}

/** How well each word fits each state: by the table that embeds ids, at `words`, where it is tied, else by a layer `lm_head` of its own. */
export function tokenLogits(
  scope: Scope,
  states: Tensor,
  options: { readonly words: string; readonly tied: boolean; readonly vocab_size: number; readonly init: Init },
): Tensor {
  const { words, tied, vocab_size, init } = options;
  if (!tied) return linear(scope.at('lm_head'), states, vocab_size, { bias: false, init });
  const table = scope.at(words).param('weight', [vocab_size, lastSize('tokenLogits', states)], init);
  return contract('bsh,vh->bsv', states, table);
}
