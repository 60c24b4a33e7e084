/** Pretraining as in the paper of BERT (Devlin et al. 2018): masked tokens and next sentences at once. As Hugging Face's `…ForPreTraining`. */
import { add } from '@sinter/ir';
import type { Tensor } from '@sinter/ir';
import type { ModelConfig } from '../config.ts';
import type { ForPreTrainingOutput } from '../outputs.ts';
import type { Head, Logits } from './head.ts';
import { nextSentenceLabels, nextSentenceLoss } from './next-sentence.ts';
import { tokenLabels, tokenLoss } from './token-labels.ts';

/**
 * `words` are `[batch, seq, vocab_size]`, `pairs` `[batch, 2]`. The loss is the sum of both: `labels` as those of masked tokens, `next_sentence_label` as
 * those of next sentences; there is one where both are given.
 */
export function preTraining<C extends ModelConfig & { readonly vocab_size: number }, B>(
  words: Logits<C, B>,
  pairs: Logits<C, B>,
): Head<C, B, ForPreTrainingOutput> {
  return {
    inputs: (config, told) => ({
      ...told,
      labels: tokenLabels(config.vocab_size),
      next_sentence_label: nextSentenceLabels,
    }),
    build(scope, config, base, inputs) {
      const { labels, next_sentence_label: next } = inputs;
      const prediction_logits = words(scope, config, base);
      const seq_relationship_logits = pairs(scope, config, base);
      const loss =
        labels && next && add(tokenLoss(prediction_logits, labels), nextSentenceLoss(seq_relationship_logits, next));
      return { ...(loss && { loss: loss as Tensor }), prediction_logits, seq_relationship_logits };
    },
  };
}
