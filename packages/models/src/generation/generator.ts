/** A model that writes with programs and caches of a fixed size: what to take where memory and speed are to be known beforehand. */
import type { Backend, Cache } from '@sinter/compiler';
import type { TensorData } from '@sinter/ir';
import type { ModelOutputs } from '../architecture.ts';
import type { ModelData } from '../compiled.ts';
import type { ModelConfig } from '../config.ts';
import { InputError } from '../errors.ts';
import type { PreTrainedModel } from '../model.ts';
import { checkWrites } from './can-write.ts';
import { ask, generate, steps } from './generate.ts';
import type { GenerateOptions } from './generate.ts';
import { writerOf } from './writer.ts';

export type { GenerateOptions } from './generate.ts';

/** The options of {@link generator}. */
export interface GeneratorOptions {
  /** The most texts at a time; each beam is one. Default: 1. */
  readonly batch?: number;
  /** The most tokens of a text, its prompt counted; the caches take memory for so many. Default: what the model takes, or 512 if it takes any number. */
  readonly length?: number;
  /** Of a model with an encoder: the most tokens of a source. Default: as `length`. */
  readonly source?: number;
  /** Where compiled programs are kept. Default: nowhere. */
  readonly cache?: Cache | undefined;
}

/** Writes texts. `await using` or {@link Generator.close} frees its memory. */
export interface Generator {
  /**
   * The prompts with what follows, `i32 [batch, length]`. Prompts of different lengths are padded on the left
   * (`padding_side: 'left'`), with an `attention_mask`; texts that ended before others are padded on the right.
   * @throws InputError for prompts that are empty, too long or padded on the right, and options that make no sense
   */
  generate(inputs: ModelData, options?: GenerateOptions): Promise<TensorData>;
  /** The same token by token: one token for each text, `pad_token_id` for those that ended. Not with beams. */
  tokens(inputs: ModelData, options?: GenerateOptions): AsyncGenerator<Int32Array, void>;
  /** Frees programs, weights and caches. */
  close(): void;
  /** As {@link Generator.close}. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** What caches have room for where a model takes any number of tokens. */
const usual = 512;

/** Compiles a model that predicts the next token for writing. @throws ConfigError for a model that does not */
export async function generator<C extends ModelConfig, O extends ModelOutputs>(
  model: PreTrainedModel<C, O>,
  backend: Backend,
  options: GeneratorOptions = {},
): Promise<Generator> {
  await checkWrites(model);
  const { most } = writerOf(model, { backend });
  const sizeOf = (name: string, asked: number | undefined, limit: number): number => {
    if (asked !== undefined && asked > limit)
      throw new InputError(`generator: ${name} is ${asked}, but the model takes ${limit} tokens at most`);
    return asked ?? (limit === Infinity ? usual : limit);
  };
  const length = sizeOf('length', options.length, most.length);
  const sizes = { batch: options.batch ?? 1, length, source: sizeOf('source', options.source, most.source) };
  const writer = writerOf(model, { backend, cache: options.cache, sizes });
  await writer.turn(() => writer.load());
  return {
    async generate(inputs, options) {
      return (await generate(ask(model, writer, inputs, options))).sequences;
    },
    async *tokens(inputs, options) {
      for await (const { tokens } of steps(ask(model, writer, inputs, options))) yield tokens;
    },
    close() {
      void writer.free();
    },
    [Symbol.asyncDispose]: () => writer.free(),
  };
}
