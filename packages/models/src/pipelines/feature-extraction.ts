/** Feature extraction: the states of tokens, or one vector for a whole text as transformers.js pools it. */
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
