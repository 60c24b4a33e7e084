/** Next-sentence prediction (Devlin et al. 2018): whether the second text follows the first. As Hugging Face's `…ForNextSentencePrediction`. */
import { crossEntropy, ShapeError, showShape } from '@sinter/ir';
import type { Shape, Tensor } from '@sinter/ir';
import type { InputSpec } from '../architecture.ts';
import type { ModelConfig } from '../config.ts';
import type { NextSentencePredictorOutput } from '../outputs.ts';
import { logitsHead } from './head.ts';
import type { Head, Logits } from './head.ts';

/** `logits` are `[batch, 2]`; labels `i32 [batch]`: 0 where it follows, 1 where it does not, −100 where a pair does not count. */
export function nextSentence<C extends ModelConfig, B>(logits: Logits<C, B>): Head<C, B, NextSentencePredictorOutput> {
  return logitsHead(
    logits,
    () => nextSentenceLabels,
    (_, made, labels) => nextSentenceLoss(made, labels),
  );
}

/** Labels `i32 [batch]`. */
export const nextSentenceLabels: InputSpec = { shape: ['batch'], dtype: 'i32', below: 2, ignored: -100, label: true };

/** The mean cross entropy of `logits` `[batch, 2]`. @throws ShapeError for labels that are not `[batch]` */
export function nextSentenceLoss(logits: Tensor, labels: Tensor): Tensor {
  if (labels.shape.length !== 1)
    throw new ShapeError(`labels of pairs are ${showShape(labels.shape)}; they must be [batch]`);
  return crossEntropy(logits, labels as Tensor<Shape, 'i32'>);
}
