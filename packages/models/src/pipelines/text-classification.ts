/** Text classification: which label a text has, with softmax or sigmoid scores as Python's pipeline chooses. */
import type { ReadingTask, TaskContext } from './task.ts';
import { checkCount } from './runner.ts';
import { sigmoid, softmax, topIndices } from './scores.ts';

/** A text, or two that belong together. */
export type TextInput = string | { readonly text: string; readonly text_pair?: string };

/** A label and how sure the model is of it. */
export interface Classification {
  /** As `id2label` of the model's configuration has it. */
  readonly label: string;
  /** A probability, unless `function_to_apply` is `'none'`. */
  readonly score: number;
}

/** The options of a call. */
export interface TextClassificationOptions {
  /** How many labels of a text, the most likely first; `null`: all. Given, the result of every text is a list. Default: the most likely one. */
  readonly top_k?: number | null | undefined;
  /** What makes scores of logits. Default: `'sigmoid'` for a model of one label or of several at once, else `'softmax'`. */
  readonly function_to_apply?: 'softmax' | 'sigmoid' | 'none' | undefined;
}

const functions = { softmax, sigmoid, none: (logits: Float32Array) => Float64Array.from(logits) };

/** The task, for a classifier of texts. */
export function textClassification({
  encode,
  config,
}: TaskContext): ReadingTask<
  TextInput,
  TextClassificationOptions,
  Classification[],
  Classification | Classification[]
> {
  const several = config.problem_type === 'multi_label_classification' || config.num_labels === 1;
  return {
    outputs: ['logits'],
    rows: (input) => [typeof input === 'string' ? encode(input) : encode(input.text, input.text_pair)],
    read({ logits }, _, { top_k = 1, function_to_apply = several ? 'sigmoid' : 'softmax' }) {
      const scores = functions[function_to_apply](logits!);
      const count = top_k === null ? scores.length : checkCount('top_k', top_k);
      return topIndices(scores, count).map((i) => ({ label: config.id2label[i]!, score: scores[i]! }));
    },
    result: (_, [classes], __, { top_k }) => (top_k === undefined ? classes![0]! : classes!),
  };
}
