/** What tasks that read texts have in common: how a text becomes a row, and how the pure steps of a task meet the model. */
import type { ModelConfig } from '../config.ts';
import type { TokenOffsets } from '../tokenizer/encode.ts';
import type { EncodeOptions, PreTrainedTokenizer } from '../tokenizer/tokenizer.ts';
import type { Loaded } from './load.ts';
import type { Reader, RowOutputs } from './reader.ts';
import type { Row, Task } from './runner.ts';

/** What a task knows of its model. */
export interface TaskContext {
  readonly tokenizer: PreTrainedTokenizer;
  readonly config: ModelConfig;
  /** The most tokens of a text: what tokenizer and model both allow. */
  readonly max_length: number;
  /** A text, or two, as a row that is cut to what the model reads. */
  encode(text: string, text_pair?: string): Row;
}

/** What tasks know of a model and its tokenizer. `max_length`, if given, takes the place of what both allow. */
export function taskContext({ model, tokenizer }: Loaded, max_length?: number): TaskContext {
  const most = max_length ?? Math.min(tokenizer.model_max_length, model.dims['seq'] ?? Infinity);
  return {
    tokenizer,
    config: model.config,
    max_length: most,
    encode: (text, text_pair) => tokenizer(text, { text_pair, truncation: true, max_length: most }),
  };
}

/** A row that knows where in the text its tokens are. */
export type PlacedRow = Row & TokenOffsets;

/** The windows of a text, or of two, that each fit a model; one row if the whole does. */
export function placedRows(
  tokenizer: PreTrainedTokenizer,
  text: string,
  options: Pick<EncodeOptions, 'text_pair' | 'truncation' | 'max_length' | 'stride'>,
): PlacedRow[] {
  const all = tokenizer(text, { ...options, return_overflowing_tokens: true, return_offsets_mapping: true });
  return all.input_ids.map((input_ids, i) => ({
    input_ids,
    token_type_ids: all.token_type_ids?.[i],
    offset_mapping: all.offset_mapping[i]!,
    word_ids: all.word_ids[i]!,
    sequence_ids: all.sequence_ids[i]!,
  }));
}

/** A task for a model that reads: three pure functions. */
export interface ReadingTask<Input, Options, Reading, Result, R extends Row = Row> {
  /** The outputs of the model that it looks at. */
  readonly outputs: readonly string[];
  /** The rows of an input. */
  rows(input: Input, options: Options): readonly R[];
  /** What is kept of the outputs for one row, which are views that do not last. */
  read(outputs: RowOutputs, row: R, options: Options): Reading;
  /** What the readings of its rows say of an input. */
  result(input: Input, readings: readonly Reading[], rows: readonly R[], options: Options): Result;
}

/** A task that has its model. */
export function withReader<Input, Options, Reading, Result, R extends Row>(
  task: ReadingTask<Input, Options, Reading, Result, R>,
  reader: Reader,
): Task<Input, Options, R, Reading, Result> {
  return {
    rows: task.rows,
    result: task.result,
    fits: reader.fits,
    async run(rows, options) {
      const outputs = await reader.read(rows);
      return rows.map((row, i) => task.read(outputs[i]!, row, options));
    },
  };
}
