/** A model that reads, compiled once for all lengths: rows of tokens in, what the model says of each row out. */
import type { Backend, Port } from '@sinter/compiler';
import type { ModelData } from '../compiled.ts';
import type { CompileModelOptions } from '../model.ts';
import type { AnyModel } from './load.ts';
import type { Row } from './runner.ts';

/** The outputs for one row, padding cut off: views of the batch's arrays, so that whoever keeps them copies them. */
export type RowOutputs = Readonly<Record<string, Float32Array>>;

/** Reads rows. */
export interface Reader {
  /** What the model says of each row of a batch. @throws InputError for rows without tokens, with too many, or with unknown ones */
  read(rows: readonly Row[]): Promise<readonly RowOutputs[]>;
  /** Whether a batch may have so many rows, between so many tokens. */
  fits(rows: number, longest: number, shortest: number): boolean;
  /** Frees the program and the weights that it holds. */
  close(): void;
  /** As {@link Reader.close}, once the runs under way are done. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** So many numbers an output may have (64 MiB): batches of logits over a vocabulary have fewer rows for it. */
const mostElements = 2 ** 24;

/** Compiles a model for some of its outputs, floats of which the first axis is the batch. */
export async function reader(
  model: AnyModel,
  backend: Backend,
  outputs: readonly string[],
  batch_size: number,
  options: Pick<CompileModelOptions, 'cache'>,
): Promise<Reader> {
  const compiled = await model.compile(backend, { ...options, outputs });
  const { inputs, outputs: ports } = compiled.program;
  const seq = inputs['input_ids']!.shape[1]!;
  const pad_token_id = model.config['pad_token_id'] as number | null | undefined;

  /** How many numbers of one output belong to a row. */
  const elements = ({ shape }: Port, length: number): number =>
    shape.slice(1).reduce<number>((product, dim) => product * (dim === seq ? length : Number(dim)), 1);

  return {
    async read(rows) {
      const length = Math.max(...rows.map(({ input_ids }) => input_ids.length));
      const given = Object.entries(filled(rows, length, pad_token_id ?? 0)).filter(([name]) => name in inputs);
      const read = await compiled(Object.fromEntries(given));
      return rows.map(({ input_ids }, row) =>
        Object.fromEntries(
          outputs.map((name) => {
            const port = ports[name]!;
            const from = row * elements(port, length);
            const data = read[name]!.data as Float32Array;
            return [name, data.subarray(from, from + elements(port, input_ids.length))];
          }),
        ),
      );
    },
    fits: (rows, longest, shortest) =>
      rows <= batch_size &&
      outputs.every((name) => rows * elements(ports[name]!, longest) <= mostElements) &&
      // Where nothing counts as padding, as in decoders without such a token, heads that look at a text's last token would see it.
      (typeof pad_token_id === 'number' || longest === shortest),
    close: () => compiled.close(),
    [Symbol.asyncDispose]: () => compiled[Symbol.asyncDispose](),
  };
}

/** Rows as a rectangle, filled up on the right. */
function filled(rows: readonly Row[], length: number, pad: number): ModelData {
  const rectangle = (of: (row: Row) => readonly number[], fill: number) => {
    const data = new Int32Array(rows.length * length).fill(fill);
    rows.forEach((row, i) => data.set(of(row), i * length));
    return { data, shape: [rows.length, length] };
  };
  return {
    input_ids: rectangle(({ input_ids }) => input_ids, pad),
    attention_mask: rectangle(({ input_ids }) => input_ids.map(() => 1), 0),
    token_type_ids: rectangle(({ token_type_ids }) => token_type_ids ?? [], 0),
  };
}
