/** The pipeline of each task: what it takes, its options, and what it gives. */
import type { PreTrainedTokenizer } from '../tokenizer/tokenizer.ts';
import type { Call } from './call.ts';
import type { FeatureExtractionOptions, TokenFeatures } from './feature-extraction.ts';
import type { FilledMask, FillMaskOptions } from './fill-mask.ts';
import type { AnyModel } from './load.ts';
import type { SentenceSimilarityInput } from './sentence-similarity.ts';
import type { Classification, TextClassificationOptions, TextInput } from './text-classification.ts';
import type { ZeroShotClassification, ZeroShotClassificationOptions } from './zero-shot-classification.ts';

/** What every pipeline has besides being a function. */
export interface Pipeline {
  /** What it does. */
  readonly task: TaskName;
  readonly model: AnyModel;
  readonly tokenizer: PreTrainedTokenizer;
  /** Frees programs and weights. */
  close(): void;
  /** As {@link Pipeline.close}, once the runs under way are done. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** With `top_k` the result of every text is a list. */
export type TextClassificationPipeline = Pipeline &
  Call<TextInput, TextClassificationOptions & { readonly top_k: number | null }, Classification[]> &
  Call<TextInput, TextClassificationOptions & { readonly top_k?: undefined }, Classification[], Classification>;

/** With `pooling` the result of every text is one vector. */
export type FeatureExtractionPipeline = Pipeline &
  Call<string, FeatureExtractionOptions & { readonly pooling: 'mean' | 'cls' }, Float32Array> &
  Call<string, FeatureExtractionOptions & { readonly pooling?: 'none' | undefined }, TokenFeatures>;

/** The cosine between a sentence and each of others. */
export type SentenceSimilarityPipeline = Pipeline & Call<SentenceSimilarityInput, object, number[]>;

/** With `every_mask` the result of every text is a list for each of its masks. */
export type FillMaskPipeline = Pipeline &
  Call<string, FillMaskOptions & { readonly every_mask: true }, FilledMask[][]> &
  Call<string, FillMaskOptions & { readonly every_mask?: undefined }, FilledMask[]>;

/** Labels that the caller chooses. */
export type ZeroShotClassificationPipeline = Pipeline &
  Call<string, ZeroShotClassificationOptions, ZeroShotClassification>;

/** The pipeline of each task. */
export interface Pipelines {
  'text-classification': TextClassificationPipeline;
  'sentiment-analysis': TextClassificationPipeline;
  'feature-extraction': FeatureExtractionPipeline;
  'sentence-similarity': SentenceSimilarityPipeline;
  'fill-mask': FillMaskPipeline;
  'zero-shot-classification': ZeroShotClassificationPipeline;
}

/** The name of a task. */
export type TaskName = keyof Pipelines;
