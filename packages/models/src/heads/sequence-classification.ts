/** Sequence classification: classes of whole texts, or numbers. As Hugging Face's `…ForSequenceClassification`. */
import type { ModelConfig } from '../config.ts';
import { classificationLoss, classLabels } from '../layers/classification.ts';
import type { SequenceClassifierOutput } from '../outputs.ts';
import { logitsHead } from './head.ts';
import type { Head, Logits } from './head.ts';

/** `logits` are `[batch, num_labels]`; labels are as {@link classLabels} says. */
export function sequenceClassification<C extends ModelConfig, B>(
  logits: Logits<C, B>,
): Head<C, B, SequenceClassifierOutput> {
  return logitsHead(logits, classLabels, classificationLoss);
}
