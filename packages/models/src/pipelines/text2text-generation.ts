/** Text to text: what a model with an encoder and a decoder writes of a text, such as its translation or its summary. */
import type { WritingContext, WritingOptions, WritingTask } from './writer.ts';

/** The options of a call: those of `generate`. */
export type Text2TextOptions = WritingOptions;

/** What was written of a text. */
export interface TranslatedText {
  readonly translation_text: string;
}

/** What was written of a text. */
export interface SummarizedText {
  readonly summary_text: string;
}

/** The task under one of its names, which the results have, for a model with an encoder. Texts longer than that reads are cut. */
export function text2text<K extends 'generated_text' | 'translation_text' | 'summary_text'>(key: K) {
  type Written = { readonly [N in K]: string };
  return ({
    tokenizer,
    max_source,
    prefix,
  }: WritingContext): WritingTask<string, Text2TextOptions, Written | Written[]> => ({
    row: (text) => ({
      input_ids: tokenizer.encode(prefix + text, { truncation: true, max_length: max_source }),
    }),
    result(_, __, texts, { num_return_sequences }) {
      const written = texts.map(
        (tokens) =>
          ({
            [key]: tokenizer.decode(tokens, { skip_special_tokens: true, clean_up_tokenization_spaces: false }),
          }) as Written,
      );
      return num_return_sequences === undefined ? written[0]! : written;
    },
  });
}
