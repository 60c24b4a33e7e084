/** Token classification: a class for each token, as in named-entity recognition. As Hugging Face's `…ForTokenClassification`. */
import type { ModelConfig } from '../config.ts';
import type { TokenClassifierOutput } from '../outputs.ts';
import { logitsHead } from './head.ts';
import type { Head, Logits } from './head.ts';
import { tokenLabels, tokenLoss } from './token-labels.ts';

/** `logits` are `[batch, seq, num_labels]`; labels `i32 [batch, seq]`, −100 where a token does not count. */
export function tokenClassification<C extends ModelConfig, B>(logits: Logits<C, B>): Head<C, B, TokenClassifierOutput> {
  return logitsHead(
    logits,
    ({ num_labels }) => tokenLabels(num_labels),
    (_, made, labels) => tokenLoss(made, labels),
  );
}
