/** Models that write: rows of like length are written together, and one text can be had as it comes. */
import type { Backend } from '@sinter/compiler';
import type { ModelGenerateOptions } from '../generation/of-model.ts';
import type { PreTrainedTokenizer } from '../tokenizer/tokenizer.ts';
import type { Loaded } from './load.ts';
import type { Row, Task } from './runner.ts';

/** The options of `generate` that a call may have. */
export type WritingOptions = Omit<
  ModelGenerateOptions,
  'backend' | 'tokenizer' | 'streamer' | 'output_scores' | 'return_dict_in_generate'
>;

/** What a task knows of its model. */
export interface WritingContext {
  readonly tokenizer: PreTrainedTokenizer;
  /** What a text begins with, if there is such a token. */
  readonly bos_token_id: number | undefined;
  /** The most tokens of a text that an encoder reads. */
  readonly max_source: number;
  /** What the model was trained to see before every text. */
  readonly prefix: string;
}

/** A task for a model that writes: two pure functions. */
export interface WritingTask<Input, Options, Result> {
  /** What is gone on from, or what the encoder reads. */
  row(input: Input, options: Options): Row;
  /** What the tokens that were written for a row say; there are several with `num_return_sequences`. */
  result(input: Input, row: Row, texts: readonly (readonly number[])[], options: Options): Result;
}

/** What of the options is the task's own, and not `generate`'s. */
const own = ['window', 'return_full_text', 'add_special_tokens', 'continue_final_message'];

/** A task that has its model. `usual` are options for all calls. */
export function withWriter<Input, Options extends WritingOptions, Result>(
  task: WritingTask<Input, Options, Result>,
  { model, tokenizer }: Loaded,
  { backend, batch_size, usual }: { readonly backend: Backend; readonly batch_size: number; readonly usual: object },
): Task<Input, Options, Row, readonly (readonly number[])[], Result> & {
  stream(input: Input, options?: Options): AsyncGenerator<string, void>;
} {
  const hasEncoder = model.architecture.encode !== undefined;
  const said = (options: object): ModelGenerateOptions => ({
    ...usual,
    ...Object.fromEntries(Object.entries(options).filter(([name]) => !own.includes(name))),
    backend,
  });
  /** Rows as a rectangle: prompts are filled up on the left, so that all end where writing begins, and sources on the right. */
  const filled = (rows: readonly Row[], pad: number) => {
    const length = Math.max(...rows.map(({ input_ids }) => input_ids.length));
    const ids = new Int32Array(rows.length * length).fill(pad);
    const mask = new Int32Array(rows.length * length);
    rows.forEach(({ input_ids }, row) => {
      const at = hasEncoder ? row * length : (row + 1) * length - input_ids.length;
      ids.set(input_ids, at);
      mask.fill(1, at, at + input_ids.length);
    });
    const shape = [rows.length, length];
    return { input_ids: { data: ids, shape }, attention_mask: { data: mask, shape } };
  };
  return {
    rows: (input, options) => [task.row(input, options)],
    result: (input, [texts], [row], options) => task.result(input, row!, texts!, options),
    // The most tokens of a text count its padding, unless they are those to come.
    fits: (rows, longest, shortest, { max_new_tokens }) =>
      rows <= batch_size && (hasEncoder || longest === shortest || typeof max_new_tokens === 'number'),
    async run(rows, options) {
      const inputs = filled(rows, model.generation_config.pad_token_id ?? tokenizer.pad_token_id ?? 0);
      const { data, shape } = await model.generate(inputs, {
        ...said(options),
        tokenizer,
        return_dict_in_generate: false,
      });
      const [count, length] = shape as [number, number];
      const from = hasEncoder ? 0 : inputs.input_ids.shape[1]!;
      const times = count / rows.length;
      return rows.map((_, row) =>
        Array.from({ length: times }, (_, i) => {
          const at = (row * times + i) * length;
          return [...(data as Int32Array).subarray(at + from, at + length)];
        }),
      );
    },
    stream: (input, options = {} as Options) =>
      model.stream(filled([task.row(input, options)], 0), { ...said(options), tokenizer }),
  };
}
