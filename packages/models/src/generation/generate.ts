/** From inputs and options to texts: which way of writing is asked for, and what it gives back. */
import type { TensorData } from '@sinter/ir';
import type { ModelOutputs } from '../architecture.ts';
import type { ModelData } from '../compiled.ts';
import type { ModelConfig } from '../config.ts';
import { InputError } from '../errors.ts';
import type { PreTrainedModel } from '../model.ts';
import { search } from './beams.ts';
import { checkKeys, fillGeneration } from './config.ts';
import type { Generation, GenerationConfig } from './config.ts';
import { seeded } from './draw.ts';
import { promptsOf } from './prompts.ts';
import type { Prompts } from './prompts.ts';
import type { Scores } from './session.ts';
import { Session } from './session.ts';
import { completes } from './stop-strings.ts';
import type { Decoder } from './stop-strings.ts';
import type { Writer } from './writer.ts';
import { write, writeWithGuesses } from './writing.ts';
import type { Step, Telling } from './writing.ts';

/** The options of `generate`: all keys of `generation_config.json`, which they replace, and these. */
export interface GenerateOptions extends GenerationConfig {
  /** Decides the draws. Default: 0. */
  readonly seed?: number | undefined;
  /** Stops the writing between two tokens; what was written is given. */
  readonly signal?: AbortSignal | undefined;
  /** Told the new tokens as they come: one for each text, `pad_token_id` for those that ended. Not with beams. */
  readonly streamer?: ((tokens: Int32Array) => void) | undefined;
  /** For `stop_strings`. */
  readonly tokenizer?: Decoder | undefined;
}

/** What `generate` gives with `return_dict_in_generate`. */
export interface GenerateOutput {
  /** `i32 [texts, length]`, as `generate` gives without it. */
  readonly sequences: TensorData;
  /** Of beams: the score of each text, `f32 [texts]`. */
  readonly sequences_scores?: TensorData;
  /** With `output_scores`: for each step the scores `f32 [rows, vocab_size]` that tokens were chosen by, with all rules applied. */
  readonly scores?: readonly TensorData[];
}

/** Everything that a call of `generate` asks for, checked. */
export interface Asked {
  readonly writer: Writer;
  readonly prompts: Prompts;
  readonly telling: Telling;
  readonly streamer: GenerateOptions['streamer'];
}

/** Checks inputs and options. @throws InputError */
export function ask<C extends ModelConfig, O extends ModelOutputs>(
  model: PreTrainedModel<C, O>,
  writer: Writer,
  inputs: ModelData,
  options: GenerateOptions = {},
): Asked {
  const { seed = 0, signal, streamer, tokenizer, ...said } = options;
  checkKeys(said);
  const asked: GenerationConfig = { ...model.generation_config, ...defined(said) };
  const prompts = promptsOf(model, inputs, asked);
  const rules = fillGeneration(asked, prompts.width, Math.min(writer.most.length, writer.sizes?.length ?? Infinity));
  if (prompts.source > writer.most.source)
    throw new InputError(
      `generate: the source has ${prompts.source} tokens, more than the ${writer.most.source} that the model reads; cut it (truncation: true)`,
    );
  if (streamer && rules.num_beams > 1)
    throw new InputError('generate: with beams no token is sure before the end; leave out streamer or num_beams');
  if (rules.prompt_lookup_num_tokens > 0 && prompts.texts.length > 1)
    throw new InputError(
      `generate: prompt_lookup_num_tokens is for one text at a time, and there are ${prompts.texts.length}`,
    );
  const end = performance.now() + 1000 * rules.max_time;
  const telling: Telling = {
    rules,
    random: seeded(seed),
    stops: completes(rules.stop_strings, tokenizer),
    isOver: () => signal?.aborted === true || performance.now() > end,
  };
  return { writer, prompts, telling, streamer };
}

/** Writes all that is asked for. */
export function generate(asked: Asked): Promise<GenerateOutput> {
  const { writer, telling } = asked;
  const { rules } = telling;
  return writer.turn(async () => {
    if (rules.num_beams === 1) return collect(asked);
    const { texts, steps } = await search(sessionOf(asked), asked.prompts, telling);
    return {
      sequences: ended(texts, rules),
      sequences_scores: { data: Float32Array.from(texts, ({ score }) => score), shape: [texts.length] },
      ...(rules.output_scores && { scores: steps.map(tensorOf) }),
    };
  });
}

/** The same as it is written, token by token. Between two tokens others may write with the same model. */
export async function* steps(asked: Asked): AsyncGenerator<Step, void> {
  if (asked.telling.rules.num_beams > 1)
    throw new InputError('generate: with beams no token is sure before the end; leave out num_beams');
  const writing = writingOf(asked);
  for (;;) {
    const { done, value } = await asked.writer.turn(() => writing.next());
    if (done) return;
    asked.streamer?.(value.tokens);
    yield value;
  }
}

function writingOf(asked: Asked): AsyncGenerator<Step, void> {
  const way = asked.telling.rules.prompt_lookup_num_tokens > 0 ? writeWithGuesses : write;
  return way(sessionOf(asked), asked.prompts, asked.telling);
}

/** A session whose texts have room for all that is asked. */
function sessionOf({ writer, prompts, telling }: Asked): Session {
  const { num_beams, num_return_sequences, max_length } = telling.rules;
  const times = num_beams > 1 ? num_beams : num_return_sequences;
  return new Session(writer, { batch: prompts.texts.length * times, length: max_length, source: prompts.source });
}

async function collect(asked: Asked): Promise<GenerateOutput> {
  const { prompts, telling, streamer } = asked;
  const { num_return_sequences: times, output_scores } = telling.rules;
  const columns: Int32Array[] = [];
  const scores: TensorData[] = [];
  for await (const step of writingOf(asked)) {
    columns.push(step.tokens);
    if (output_scores) scores.push(tensorOf({ ...step.scores, all: step.scores.all.slice() }));
    streamer?.(step.tokens);
  }
  const size = prompts.width + columns.length;
  const rows = prompts.texts.length * times;
  const data = new Int32Array(rows * size);
  for (let row = 0; row < rows; row++) {
    data.set(prompts.texts[Math.floor(row / times)]!.tokens, row * size);
    columns.forEach((column, i) => (data[row * size + prompts.width + i] = column[row]!));
  }
  return { sequences: { data, shape: [rows, size] }, ...(output_scores && { scores }) };
}

/** Texts that a search found, each with its end where there is room, as one tensor. */
function ended(
  texts: readonly { readonly tokens: readonly number[] }[],
  { eos, pad, max_length }: Generation,
): TensorData {
  const longest = Math.max(...texts.map(({ tokens }) => tokens.length));
  const size = eos.length > 0 ? Math.min(longest + 1, max_length) : longest;
  const data = new Int32Array(texts.length * size).fill(pad);
  texts.forEach(({ tokens }, row) => {
    data.set(tokens, row * size);
    if (tokens.length < size) data[row * size + tokens.length] = eos[0]!;
  });
  return { data, shape: [texts.length, size] };
}

function tensorOf({ all, rows, vocabulary }: Scores): TensorData {
  return { data: all, shape: [rows, vocabulary] };
}

function defined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
