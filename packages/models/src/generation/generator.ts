/** A model that writes: two programs that share weights and caches, one that reads any number of tokens and one that reads one more. */
import type { Backend, Program, StateHandle } from '@sinter/compiler';
import { compile } from '@sinter/compiler';
import { dimValue, graph, input, reshape, sub } from '@sinter/ir';
import type { Dim, Shape, Tensor, TensorData } from '@sinter/ir';
import type { Architecture, ModelOutputs } from '../architecture.ts';
import { checkInputs } from '../compiled.ts';
import type { ModelData } from '../compiled.ts';
import type { ModelConfig } from '../config.ts';
import { ConfigError, InputError } from '../errors.ts';
import { keyValueCache } from '../layers/cache.ts';
import { statesAt } from '../layers/states.ts';
import type { PreTrainedModel } from '../model.ts';
import { scope } from '../scope.ts';
import { applyRules, draw, mostLikely, seeded } from './choose.ts';
import type { GenerationConfig } from './config.ts';
import { fillGeneration } from './config.ts';

/** The options of {@link generator}. */
export interface GeneratorOptions {
  /** The most texts at a time. Default: 1. */
  readonly batch?: number;
  /** The most tokens of a text, its prompt counted; the caches take memory for so many. Default: what the model can read. */
  readonly length?: number;
}

/** The options of {@link Generator.generate}. */
export interface GenerateOptions extends GenerationConfig {
  /** Decides the draws. Default: 0. */
  readonly seed?: number | undefined;
  /** Stops the writing; what was written is given. */
  readonly signal?: AbortSignal | undefined;
}

/** Writes texts. `await using` or {@link Generator.close} frees its memory. */
export interface Generator {
  /**
   * The prompts with what follows, `i32 [batch, length]`. Prompts of different lengths are padded on the left
   * (`padding_side: 'left'`), with an `attention_mask`; texts that ended before others are padded on the right.
   * @throws InputError for prompts that are empty, too long or padded on the right, and options that make no sense
   */
  generate(inputs: ModelData, options?: GenerateOptions): Promise<TensorData>;
  /** The same token by token: one token for each text, `pad_token_id` for those that ended. */
  tokens(inputs: ModelData, options?: GenerateOptions): AsyncGenerator<Int32Array, void>;
  /** Frees programs, weights and caches. */
  close(): void;
  /** As {@link Generator.close}. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Compiles a model that predicts the next token for writing. @throws ConfigError for a model that does not */
export async function generator<C extends ModelConfig, O extends ModelOutputs>(
  model: PreTrainedModel<C, O>,
  backend: Backend,
  options: GeneratorOptions = {},
): Promise<Generator> {
  const most = Math.min(...Object.values(model.dims));
  const { batch = 1, length = most } = options;
  if (length > most) throw new InputError(`generator: length is ${length}, but the model reads ${most} tokens at most`);
  const { architecture, config } = model;
  const read = await programOf(architecture, config, backend, { batch, length });
  for (const [name, { data }] of model.parameters) await read.state.write(name, data);
  const next = await programOf(architecture, config, backend, { batch, length, n: 1, state: read.state });
  const limits = { batch, total: length };

  async function* write(
    { ids, mask, rows, width }: Prompts,
    options: GenerateOptions = {},
  ): AsyncGenerator<Int32Array, void> {
    const { seed = 0, signal, ...said } = options;
    const rules = fillGeneration({ ...endsOf(config), ...said }, width);
    const random = seeded(seed);
    const texts = Array.from({ length: rows }, (_, row) => [...ids.subarray(row * width, (row + 1) * width)]);
    const ended = texts.map(() => false);
    const until = Math.min(rules.max_length, length);
    let now = ids;
    let masks = mask;
    for (let at = 0, total = width; total < until && !signal?.aborted; at = total++) {
      const { logits } = await (at === 0 ? read : next).run(step(now, masks, rows, at, total));
      const vocabulary = logits!.shape[1]!;
      now = Int32Array.from(texts, (text, row) => {
        if (ended[row]) return rules.pad;
        const own = (logits!.data as Float32Array).subarray(row * vocabulary, (row + 1) * vocabulary);
        applyRules(own, text, width, rules);
        const token = rules.do_sample ? draw(own, rules, random) : mostLikely(own);
        ended[row] = rules.eos.has(token);
        return token;
      });
      texts.forEach((text, row) => text.push(now[row]!));
      yield now;
      if (ended.every((e) => e)) return;
      masks = withOneMore(masks, rows, total);
    }
  }

  return {
    async *tokens(inputs, options) {
      yield* write(prompts(model, inputs, limits), options);
    },
    async generate(inputs, options) {
      const given = prompts(model, inputs, limits);
      const { ids, rows, width } = given;
      const columns: Int32Array[] = [];
      for await (const column of write(given, options)) columns.push(column);
      const size = width + columns.length;
      const data = new Int32Array(rows * size);
      for (let row = 0; row < rows; row++) {
        data.set(ids.subarray(row * width, (row + 1) * width), row * size);
        columns.forEach((column, i) => (data[row * size + width + i] = column[row]!));
      }
      return { data, shape: [rows, size] };
    },
    close() {
      next.close();
      read.close();
    },
    async [Symbol.asyncDispose]() {
      await next[Symbol.asyncDispose]();
      await read[Symbol.asyncDispose]();
    },
  };
}

interface ProgramOptions {
  readonly batch: number;
  readonly length: number;
  /** Tokens of a run. Default: any number. */
  readonly n?: number;
  readonly state?: StateHandle;
}

function programOf<C extends ModelConfig, O extends ModelOutputs>(
  architecture: Architecture<C, O>,
  config: C,
  backend: Backend,
  { batch, length, n, state }: ProgramOptions,
): Promise<Program> {
  if (!architecture.decode)
    throw new ConfigError(
      `a ${architecture.name} does not write; take a model that predicts the next token, such as GPT2LMHeadModel`,
    );
  const cache = keyValueCache({ batch, length, at: input('at', [1], 'i32'), total: 'total' });
  const inputs = {
    input_ids: input('input_ids', ['batch', 'n'], 'i32'),
    position_ids: input('position_ids', ['batch', 'n'], 'i32'),
    attention_mask: input('attention_mask', ['batch', 'total'], 'i32'),
  };
  const decoded = architecture.decode(scope(), config, inputs, cache);
  // Only the last token's state goes through the head.
  const last = statesAt(decoded.states, sub(dimValue('n', 'i32'), 1) as Tensor<Shape, 'i32'>);
  const [rows, size] = last.shape as readonly [Dim, number];
  const all = decoded.logits(reshape(last, [rows, 1, size]));
  const logits = reshape(all, [rows, all.shape.at(-1)!]);
  const g = graph(`${architecture.name} writes`, { outputs: { logits }, updates: cache.updates });
  const dims = { batch: { max: batch }, total: { max: length }, n: n ?? { max: length } };
  return compile(g, backend, { dims, ...(state && { state }) });
}

/** What a run is given: the tokens at hand, where they stand, and which of all there are count. */
function step(ids: Int32Array, mask: Int32Array, rows: number, at: number, total: number): ModelData {
  const n = total - at;
  // Positions count the tokens that are no padding, as Hugging Face has it.
  const positions = new Int32Array(rows * n);
  for (let row = 0; row < rows; row++) {
    let count = 0;
    for (let i = 0; i < total; i++) {
      const isThere = mask[row * total + i] !== 0;
      if (isThere) count++;
      if (i >= at) positions[row * n + i - at] = isThere ? count - 1 : 1;
    }
  }
  return {
    input_ids: { data: ids, shape: [rows, n] },
    position_ids: { data: positions, shape: [rows, n] },
    attention_mask: { data: mask, shape: [rows, total] },
    at: { data: Int32Array.of(at), shape: [1] },
  };
}

function withOneMore(mask: Int32Array, rows: number, total: number): Int32Array {
  const out = new Int32Array(rows * (total + 1)).fill(1);
  for (let row = 0; row < rows; row++) out.set(mask.subarray(row * total, (row + 1) * total), row * (total + 1));
  return out;
}

/** Texts to go on from: `rows` of `width` tokens. */
interface Prompts {
  readonly ids: Int32Array;
  readonly mask: Int32Array;
  readonly rows: number;
  readonly width: number;
}

/** The prompts, checked. */
function prompts<C extends ModelConfig, O extends ModelOutputs>(
  model: PreTrainedModel<C, O>,
  { input_ids, attention_mask, ...others }: ModelData,
  most: { readonly batch: number; readonly total: number },
): Prompts {
  if (!input_ids || input_ids.shape.length !== 2)
    throw new InputError(
      `generate: wants input_ids [batch, seq], got ${input_ids ? `[${input_ids.shape.join(', ')}]` : 'none'}`,
    );
  const [unknown] = Object.keys(others);
  if (unknown !== undefined)
    throw new InputError(`generate: there is no input '${unknown}'; the inputs are input_ids and attention_mask`);
  const [rows, width] = input_ids.shape as [number, number];
  if (rows < 1 || width < 1) throw new InputError('generate: the prompt is empty; begin with at least one token');
  if (rows > most.batch || width >= most.total)
    throw new InputError(
      `generate: the prompts are [${rows}, ${width}]; this generator writes ${most.batch} texts of at most ${most.total} tokens; make it with a larger batch or length`,
    );
  checkInputs(model.inputs, model.dims, { input_ids });
  const mask = attention_mask ? (attention_mask.data as Int32Array) : new Int32Array(rows * width).fill(1);
  if (mask.length !== rows * width)
    throw new InputError(`generate: attention_mask has ${mask.length} elements, input_ids ${rows * width}`);
  for (let row = 0; row < rows; row++)
    if (mask[(row + 1) * width - 1] === 0)
      throw new InputError(`generate: text ${row} ends with padding; pad prompts on the left (padding_side: 'left')`);
  return { ids: input_ids.data as Int32Array, mask, rows, width };
}

/** The tokens that end and pad texts, as the model's configuration has them. */
function endsOf(config: ModelConfig): GenerationConfig {
  const { eos_token_id, pad_token_id } = config as GenerationConfig;
  return { eos_token_id, pad_token_id };
}
