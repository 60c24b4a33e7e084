/** What tasks that read texts have in common: how a text becomes a row, and how the pure steps of a task meet the model. */
import type { ModelConfig } from '../config.ts';
import type { PreTrainedTokenizer } from '../tokenizer/tokenizer.ts';
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
