/** Feature extraction: the states of tokens, or one vector for a whole text as transformers.js pools it; and how alike texts are by that. */
import type { TensorData } from '@sinter/ir';
import { PipelineError } from './errors.ts';
import type { RowOutputs } from './reader.ts';
import type { ReadingTask, TaskContext } from './task.ts';

/** The options of a call. */
export interface FeatureExtractionOptions {
  /** One vector for each text: the mean of its tokens' states, or the first token's. Default: `'none'`, a state for each token. */
  readonly pooling?: 'none' | 'mean' | 'cls' | undefined;
  /** Scale each vector to length 1. Default: no. */
  readonly normalize?: boolean | undefined;
}

/** The states of a text's tokens, `[tokens, size]`. */
export interface TokenFeatures extends TensorData {
  readonly data: Float32Array;
  /** `[tokens, size]`, special tokens counted. */
  readonly shape: readonly [tokens: number, size: number];
}

/** The task, for a model without a head. */
export function featureExtraction({
  encode,
}: TaskContext): ReadingTask<
  string,
  FeatureExtractionOptions,
  Float32Array | TokenFeatures,
  Float32Array | TokenFeatures
> {
  return {
    outputs: ['last_hidden_state'],
    rows: (text) => [encode(text)],
    read(outputs, { input_ids: { length } }, { pooling = 'none', normalize = false }) {
      const features = pool(outputs, length, pooling);
      const size = outputs['last_hidden_state']!.length / length;
      if (normalize) for (let at = 0; at < features.length; at += size) scaleToOne(features.subarray(at, at + size));
      return pooling === 'none' ? { data: features, shape: [length, size] } : features;
    },
    result: (_, [features]) => features!,
  };
}

/** One sentence, and others to compare it with. */
export interface SentenceSimilarityInput {
  readonly source_sentence: string;
  readonly sentences: readonly string[];
}

/** The options of a call. */
export interface SentenceSimilarityOptions {
  /** What stands for a sentence: the mean of its tokens' states, or the first token's. Default: `'mean'`. */
  readonly pooling?: 'mean' | 'cls' | undefined;
}

/** The task, for a model without a head: the cosine between the source sentence and each of the others. */
export function sentenceSimilarity({
  encode,
}: TaskContext): ReadingTask<SentenceSimilarityInput, SentenceSimilarityOptions, Float32Array, number[]> {
  return {
    outputs: ['last_hidden_state'],
    rows: ({ source_sentence, sentences }) => [source_sentence, ...sentences].map((sentence) => encode(sentence)),
    read(outputs, { input_ids }, { pooling = 'mean' }) {
      const vector = pool(outputs, input_ids.length, pooling);
      scaleToOne(vector);
      return vector;
    },
    result: (_, [source, ...others]) => others.map((other) => other.reduce((sum, x, i) => sum + x * source![i]!, 0)),
  };
}

function pool({ last_hidden_state }: RowOutputs, length: number, pooling: 'none' | 'mean' | 'cls'): Float32Array {
  const states = last_hidden_state!;
  const size = states.length / length;
  switch (pooling) {
    case 'none':
      return states.slice();
    case 'cls':
      return states.slice(0, size);
    case 'mean': {
      const mean = new Float32Array(size);
      for (let at = 0; at < states.length; at += size) for (let i = 0; i < size; i++) mean[i]! += states[at + i]!;
      return mean.map((sum) => sum / length);
    }
    default:
      throw new PipelineError(`pooling is '${String(pooling)}'; it may be 'none', 'mean' and 'cls'`);
  }
}

function scaleToOne(vector: Float32Array): void {
  let sum = 0;
  for (const x of vector) sum += x * x;
  const scale = 1 / Math.max(Math.sqrt(sum), 1e-12);
  for (let i = 0; i < vector.length; i++) vector[i]! *= scale;
}
