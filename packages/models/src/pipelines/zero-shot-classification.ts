/**
 * Zero-shot classification (Yin et al. 2019): which of the caller's labels fits a text, told by a model of natural language inference that is
 * asked whether the text entails "This example is LABEL.".
 */
import type { ModelConfig } from '../config.ts';
import { PipelineError } from './errors.ts';
import { softmax } from './scores.ts';
import type { ReadingTask, TaskContext } from './task.ts';

/** The options of a call. */
export interface ZeroShotClassificationOptions {
  /** The labels to choose from. */
  readonly candidate_labels: readonly string[];
  /** The sentence that is judged; `{}` is where the label goes. Default: `'This example is {}.'` */
  readonly hypothesis_template?: string | undefined;
  /** Whether several labels may fit: each is scored by itself, against its contradiction. Default: no, and the scores sum to 1. */
  readonly multi_label?: boolean | undefined;
}

/** The labels of a text with their scores, the most likely first. */
export interface ZeroShotClassification {
  /** The text. */
  readonly sequence: string;
  readonly labels: readonly string[];
  readonly scores: readonly number[];
}

/** The task, for a classifier of pairs of texts with a label for entailment. @throws PipelineError for one that has none */
export function zeroShotClassification({
  tokenizer,
  config,
  max_length,
}: TaskContext): ReadingTask<string, ZeroShotClassificationOptions, Float32Array, ZeroShotClassification> {
  const entailment = entailmentLabel(config);
  const contradiction = entailment === 0 ? config.num_labels - 1 : 0;
  return {
    outputs: ['logits'],
    rows(sequence, { candidate_labels, hypothesis_template = 'This example is {}.' }) {
      if (candidate_labels.length === 0) throw new PipelineError('candidate_labels is empty; name at least one label');
      if (!hypothesis_template.includes('{}'))
        throw new PipelineError(`hypothesis_template '${hypothesis_template}' has no {} for the label to go to`);
      return candidate_labels.map((label) =>
        tokenizer(sequence, {
          text_pair: hypothesis_template.replace('{}', () => label),
          truncation: 'only_first',
          max_length,
        }),
      );
    },
    read: ({ logits }) => logits!.slice(),
    result(sequence, readings, _, { candidate_labels, multi_label = false }) {
      const scores =
        multi_label || readings.length === 1
          ? readings.map((logits) => softmax([logits[contradiction]!, logits[entailment]!])[1]!)
          : [...softmax(readings.map((logits) => logits[entailment]!))];
      const order = [...scores.keys()].sort((a, b) => scores[b]! - scores[a]!);
      return {
        sequence,
        labels: order.map((i) => candidate_labels[i]!),
        scores: order.map((i) => scores[i]!),
      };
    },
  };
}

function entailmentLabel({ label2id, id2label }: ModelConfig): number {
  const found = Object.entries(label2id).find(([label]) => label.toLowerCase().startsWith('entail'));
  if (found) return found[1];
  throw new PipelineError(
    `zero-shot-classification needs a model of natural language inference, with a label 'entailment'; the labels of this one are ${Object.values(id2label).join(', ')}`,
  );
}
