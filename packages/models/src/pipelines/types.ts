/** The pipeline of each task: what it takes, its options, and what it gives. */
import type { PreTrainedTokenizer } from '../tokenizer/tokenizer.ts';
import type { AggregationStrategy, EntityGroup, TokenEntity } from './aggregation.ts';
import type { Call } from './call.ts';
import type { FeatureExtractionOptions, TokenFeatures } from './feature-extraction.ts';
import type { FilledMask, FillMaskOptions } from './fill-mask.ts';
import type { AnyModel } from './load.ts';
import type { Answer, QuestionAnsweringOptions, QuestionInput } from './question-answering.ts';
import type { SentenceSimilarityInput } from './sentence-similarity.ts';
import type { Classification, TextClassificationOptions, TextInput } from './text-classification.ts';
import type { Chat, GeneratedChat, GeneratedText, TextGenerationOptions } from './text-generation.ts';
import type { SummarizedText, Text2TextOptions, TranslatedText } from './text2text-generation.ts';
import type { TokenClassificationOptions } from './token-classification.ts';
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

/** With an `aggregation_strategy` other than `'none'` entities are groups of tokens. */
export type TokenClassificationPipeline = Pipeline &
  Call<
    string,
    TokenClassificationOptions & { readonly aggregation_strategy: Exclude<AggregationStrategy, 'none'> },
    EntityGroup[]
  > &
  Call<string, TokenClassificationOptions & { readonly aggregation_strategy?: 'none' | undefined }, TokenEntity[]>;

/** With `top_k` the result of every question is a list. */
export type QuestionAnsweringPipeline = Pipeline &
  Call<QuestionInput, QuestionAnsweringOptions & { readonly top_k: number }, Answer[]> &
  Call<QuestionInput, QuestionAnsweringOptions & { readonly top_k?: undefined }, Answer>;

/** What writing can be had as. */
export interface Stream<Input, O> {
  /** The text that is written, in pieces of whole characters, as they come; leaving the loop ends the writing. */
  stream(input: Input, options?: O): AsyncGenerator<string, void>;
}

/** A list of what is written after each prompt: `num_return_sequences` of them. */
export type TextGenerationPipeline = Pipeline &
  Call<string, TextGenerationOptions, GeneratedText[]> &
  Call<Chat, TextGenerationOptions & { readonly return_full_text: false }, GeneratedText[]> &
  Call<Chat, TextGenerationOptions & { readonly return_full_text?: true | undefined }, GeneratedChat[]> &
  Stream<string | Chat, TextGenerationOptions>;

/** With `num_return_sequences` the result of every text is a list. */
export type Text2TextPipeline<Written> = Pipeline &
  Call<string, Text2TextOptions & { readonly num_return_sequences: number }, Written[]> &
  Call<string, Text2TextOptions & { readonly num_return_sequences?: undefined }, Written[], Written> &
  Stream<string, Text2TextOptions>;

/** The pipeline of each task. */
export interface Pipelines {
  'text-classification': TextClassificationPipeline;
  'sentiment-analysis': TextClassificationPipeline;
  'feature-extraction': FeatureExtractionPipeline;
  'sentence-similarity': SentenceSimilarityPipeline;
  'fill-mask': FillMaskPipeline;
  'zero-shot-classification': ZeroShotClassificationPipeline;
  'token-classification': TokenClassificationPipeline;
  ner: TokenClassificationPipeline;
  'question-answering': QuestionAnsweringPipeline;
  'text-generation': TextGenerationPipeline;
  'text2text-generation': Text2TextPipeline<GeneratedText>;
  summarization: Text2TextPipeline<SummarizedText>;
  translation: Text2TextPipeline<TranslatedText>;
  /** With what the model's configuration says of these two languages (`task_specific_params`). */
  [languages: `translation_${string}_to_${string}`]: Text2TextPipeline<TranslatedText>;
}

/** The name of a task. */
export type TaskName = keyof Pipelines;
