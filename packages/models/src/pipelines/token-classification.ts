/** Token classification: which tokens of a text name something, such as persons and places, by the rules of Python's pipeline. */
import { createDecoder } from '../tokenizer/decode.ts';
import { groups, labelled, withoutOverlaps, words } from './aggregation.ts';
import type { AggregationStrategy, EntityGroup, ScoredToken, TokenEntity } from './aggregation.ts';
import { PipelineError } from './errors.ts';
import { softmax } from './scores.ts';
import { placedRows } from './task.ts';
import type { PlacedRow, ReadingTask, TaskContext } from './task.ts';

/** The options of a call. */
export interface TokenClassificationOptions {
  /** Default: `'none'`, every token by itself. */
  readonly aggregation_strategy?: AggregationStrategy | undefined;
  /** Classes that are left out: as the model has them, or with a strategy without `B-` and `I-`. Default: `['O']`. */
  readonly ignore_labels?: readonly string[] | undefined;
  /** Given, a text that is too long is read in windows, which have so many tokens in common; not with the strategy `'none'`. Default: its end is left out. */
  readonly stride?: number | undefined;
}

/** The task, for a classifier of tokens. */
export function tokenClassification({
  tokenizer,
  config,
  max_length,
}: TaskContext): ReadingTask<
  string,
  TokenClassificationOptions,
  Float64Array[],
  (TokenEntity | EntityGroup)[],
  PlacedRow
> {
  const decoder = createDecoder(tokenizer.json.decoder);
  const join = (tokens: readonly string[]): string => decoder(tokens).join('');
  const marksWords = Boolean(tokenizer.json.model['continuing_subword_prefix']);

  /** The tokens of a text in one of its rows, special ones left out. */
  const tokensOf = (text: string, row: PlacedRow, scores: readonly Float64Array[]): ScoredToken[] =>
    scores.flatMap((own, index) => {
      if (row.sequence_ids[index] === null) return [];
      const [start, end] = row.offset_mapping[index]!;
      const token = { scores: own, index, start, end };
      const seen = text.slice(start, end);
      if (row.input_ids[index] === tokenizer.unk_token_id) return { ...token, word: seen, isSubword: false };
      const word = tokenizer.convert_ids_to_tokens(row.input_ids[index]!);
      // Where tokens that go on with a word are marked, they are longer than what they are made of; elsewhere no space tells.
      const isSubword = marksWords
        ? [...word].length !== [...seen].length
        : start > 0 && !text.slice(start - 1, start + 1).includes(' ');
      return { ...token, word, isSubword };
    });

  return {
    outputs: ['logits'],
    rows(text, { stride, aggregation_strategy = 'none' }) {
      if (stride !== undefined && aggregation_strategy === 'none')
        throw new PipelineError('stride reads windows, whose entities overlap; name an aggregation_strategy with it');
      const rows = placedRows(tokenizer, text, { truncation: true, max_length, stride });
      return stride === undefined ? rows.slice(0, 1) : rows;
    },
    read({ logits }, { input_ids: { length } }) {
      const size = logits!.length / length;
      return Array.from({ length }, (_, at) => softmax(logits!.subarray(at * size, (at + 1) * size)));
    },
    result(text, readings, rows, { aggregation_strategy: strategy = 'none', ignore_labels = ['O'] }) {
      const names = config.id2label;
      const found = readings.map((scores, i) => tokensOf(text, rows[i]!, scores));
      if (strategy === 'none')
        return labelled(found[0]!, names).filter(({ entity }) => !ignore_labels.includes(entity));
      const grouped = found
        .map((tokens) => (strategy === 'simple' ? labelled(tokens, names) : words(tokens, strategy, names, join)))
        .flatMap((entities) => groups(entities, join))
        .filter(({ entity_group }) => !ignore_labels.includes(entity_group));
      return rows.length > 1 ? withoutOverlaps(grouped) : grouped;
    },
  };
}
