/** What a model's own methods do: programs and caches are kept for each model and backend, and a backend is found where none is named. */
import type { Backend } from '@sinter/compiler';
import { diskCache } from '@sinter/compiler/cache';
import type { ModelOutputs } from '../architecture.ts';
import type { ModelData } from '../compiled.ts';
import type { ModelConfig } from '../config.ts';
import { backendOr } from '../default-backend.ts';
import { InputError } from '../errors.ts';
import type { PreTrainedModel } from '../model.ts';
import { createTextStream } from '../tokenizer/text-stream.ts';
import type { PreTrainedTokenizer } from '../tokenizer/tokenizer.ts';
import { checkWrites } from './can-write.ts';
import { ask, generate, steps } from './generate.ts';
import type { GenerateOptions, GenerateOutput } from './generate.ts';
import { writerOf } from './writer.ts';
import type { Writer } from './writer.ts';

/** The options of {@link PreTrainedModel.generate}. */
export interface ModelGenerateOptions extends GenerateOptions {
  /** Where it runs. Default: `defaultBackend()`, the processor. */
  readonly backend?: Backend | undefined;
}

/** The options of {@link PreTrainedModel.stream}. */
export interface StreamOptions extends Omit<ModelGenerateOptions, 'tokenizer'> {
  /** Makes text of tokens. */
  readonly tokenizer: Pick<PreTrainedTokenizer, 'decode'>;
  /** Leave out tokens such as the one that ends a text. Default: `true`. */
  readonly skip_special_tokens?: boolean | undefined;
}

const writers = new WeakMap<object, Map<Backend, Writer>>();

/** Writes texts with a model. @throws ConfigError, InputError, BackendError */
export async function generateWith<C extends ModelConfig, O extends ModelOutputs>(
  model: PreTrainedModel<C, O>,
  inputs: ModelData,
  { backend, ...options }: ModelGenerateOptions,
): Promise<GenerateOutput> {
  return generate(ask(model, await writerFor(model, backend), inputs, options));
}

/** The text that a model writes, in pieces of whole characters. @throws ConfigError, InputError, BackendError */
export async function* streamWith<C extends ModelConfig, O extends ModelOutputs>(
  model: PreTrainedModel<C, O>,
  inputs: ModelData,
  { backend, skip_special_tokens = true, ...options }: StreamOptions,
): AsyncGenerator<string, void> {
  const asked = ask(model, await writerFor(model, backend), inputs, options);
  const { texts } = asked.prompts;
  if (texts.length > 1 || asked.telling.rules.num_return_sequences > 1)
    throw new InputError(`stream: writes one text, and ${texts.length} are asked for; call generate, or it for each`);
  const text = createTextStream(options.tokenizer, { skip_special_tokens });
  // What is written is text behind the prompt, which tells whether it begins with a space.
  if (!model.architecture.encode) text.push(texts[0]!.tokens);
  for await (const { tokens } of steps(asked)) {
    const piece = text.push(tokens);
    if (piece !== '') yield piece;
  }
  const rest = text.end();
  if (rest !== '') yield rest;
}

/** Frees what {@link generateWith} keeps for a model. */
export async function freeWriters(model: object): Promise<void> {
  const own = writers.get(model);
  writers.delete(model);
  for (const writer of own?.values() ?? []) await writer.free();
}

async function writerFor<C extends ModelConfig, O extends ModelOutputs>(
  model: PreTrainedModel<C, O>,
  named: Backend | undefined,
): Promise<Writer> {
  await checkWrites(model);
  const backend = await backendOr(named);
  const own = writers.get(model) ?? new Map<Backend, Writer>();
  writers.set(model, own);
  const writer = own.get(backend) ?? writerOf(model, { backend, cache: diskCache() });
  own.set(backend, writer);
  return writer;
}
