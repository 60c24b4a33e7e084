/** Sentence similarity: how alike a sentence and others are, by the cosine between their embeddings. */
import type { ReadingTask, TaskContext } from './task.ts';

/** One sentence, and others to compare it with. */
export interface SentenceSimilarityInput {
  readonly source_sentence: string;
  readonly sentences: readonly string[];
}

/** The task, for a model of sentence embeddings. The result has a number from −1 to 1 for each of the other sentences. */
export function sentenceSimilarity({
  encode,
}: TaskContext): ReadingTask<SentenceSimilarityInput, object, Float32Array, number[]> {
  return {
    outputs: ['sentence_embedding'],
    rows: ({ source_sentence, sentences }) => [source_sentence, ...sentences].map((sentence) => encode(sentence)),
    read: ({ sentence_embedding }) => sentence_embedding!.slice(),
    result: (_, [source, ...others]) => others.map((other) => cosine(source!, other)),
  };
}

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array): number => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  return dot(a, b) / Math.max(Math.sqrt(dot(a, a) * dot(b, b)), 1e-12);
}
