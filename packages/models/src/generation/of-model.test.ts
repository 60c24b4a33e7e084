import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpu } from '@sinter/backend-cpu';
import { evaluate } from '@sinter/ir';
import type { TensorData } from '@sinter/ir';
import { afterAll, describe, expect, test } from 'vitest';
import { ConfigError, InputError } from '../errors.ts';
import { GPT2LMHeadModel, GPT2Model } from '../families/gpt2.ts';
import { goldens } from '../goldens.test.kit.ts';
import { AutoModelForSeq2SeqLM } from '../registry.ts';
import type { ModelGenerateOptions } from './of-model.ts';

type Options = Omit<ModelGenerateOptions, 'return_dict_in_generate'>;

const backend = cpu({ threads: 1 });
const tensor = (rows: readonly (readonly number[])[]): TensorData => ({
  data: Int32Array.from(rows.flat()),
  shape: [rows.length, rows[0]!.length],
});
const rowsOf = ({ data, shape }: TensorData): number[][] =>
  Array.from({ length: shape[0]! }, (_, i) => Array.from(data).slice(i * shape[1]!, (i + 1) * shape[1]!));
const gpt2 = await GPT2LMHeadModel.from_pretrained(join(goldens, 'tiny-gpt2'));
const bart = await AutoModelForSeq2SeqLM.from_pretrained(join(goldens, 'tiny-bart'));
const folder = await mkdtemp(join(tmpdir(), 'sinter-'));
afterAll(async () => {
  await gpt2.free();
  await bart.free();
  await rm(folder, { recursive: true });
});
const write = async (ids: number[], options: Options = {}): Promise<number[]> =>
  rowsOf(await gpt2.generate({ input_ids: tensor([ids]) }, { backend, eos_token_id: null, ...options }))[0]!;
const prompt = [5, 17, 40];

/** A tokenizer whose tokens are letters. */
const letters = {
  decode: (ids: Iterable<number>): string => Array.from(ids, (id) => String.fromCharCode(0x4e00 + id)).join(''),
};

describe('programs and caches', () => {
  test('grow with what is asked, and what was written before comes again', async () => {
    await gpt2.free();
    const short = await write(prompt, { max_new_tokens: 3 });
    const rows = await gpt2.generate(
      { input_ids: tensor([prompt, prompt, prompt]) },
      { backend, eos_token_id: null, max_new_tokens: 30 },
    );
    expect(rows.shape).toEqual([3, 33]);
    for (const row of rowsOf(rows)) expect(row.slice(0, 6)).toEqual(short);
    expect(await write(prompt, { max_new_tokens: 3 })).toEqual(short);
  });

  test('calls at once wait for each other; a text that is left and taken up again is the same', async () => {
    const [whole, other] = [await write(prompt, { max_new_tokens: 8 }), await write([9], { max_new_tokens: 8 })];
    const both = await Promise.all([write(prompt, { max_new_tokens: 8 }), write([9], { max_new_tokens: 8 })]);
    expect(both).toEqual([whole, other]);
    let text = '';
    const options = { backend, eos_token_id: null, max_new_tokens: 8, tokenizer: letters };
    for await (const piece of gpt2.stream({ input_ids: tensor([prompt]) }, options)) {
      text += piece;
      expect(await write([9], { max_new_tokens: 8 })).toEqual(other);
    }
    expect(text).toBe(letters.decode(whole.slice(3)));
  });

  test('have the weights that the model has', async () => {
    const before = await write(prompt, { max_new_tokens: 6 });
    const weight = gpt2.parameters.get('transformer.wte.weight')!;
    const { data } = weight;
    weight.data = data.map((x, i) => (i % 3 === 0 ? -x : x));
    const changed = await write(prompt, { max_new_tokens: 6 });
    weight.data = data;
    expect(changed).not.toEqual(before);
    expect(await write(prompt, { max_new_tokens: 6 })).toEqual(before);
  });

  test('are usable after a signal, between two tokens', async () => {
    const whole = await write(prompt, { max_new_tokens: 8 });
    const stop = new AbortController();
    const seen: number[] = [];
    const streamer = (tokens: Int32Array): void => {
      seen.push(tokens[0]!);
      if (seen.length === 3) stop.abort();
    };
    expect(await write(prompt, { max_new_tokens: 8, signal: stop.signal, streamer })).toEqual(whole.slice(0, 6));
    expect(seen).toEqual(whole.slice(3, 6));
    expect(await write(prompt, { max_new_tokens: 8 })).toEqual(whole);
    // A loop that is left ends the writing.
    for await (const _ of gpt2.stream({ input_ids: tensor([prompt]) }, { backend, tokenizer: letters })) break;
    expect(await write(prompt, { max_new_tokens: 8, max_time: 1000 })).toEqual(whole);
    expect((await write(prompt, { max_new_tokens: 8, max_time: 1e-9 })).length).toBe(4);
  });
});

describe('guesses by lookup', () => {
  // What the model writes after this repeats itself.
  const again = [5, 17, 40, 5, 17, 40, 5, 17];
  test.each([
    { max_new_tokens: 30 },
    { max_new_tokens: 30, no_repeat_ngram_size: 4 },
    { max_new_tokens: 30, repetition_penalty: 1.1 },
    { max_new_tokens: 30, eos_token_id: 60 },
    { max_new_tokens: 30, do_sample: true, seed: 4 },
  ])('write the same: $0', async (options) => {
    const plain = await write(again, options);
    const streamed: number[] = [];
    const streamer = (tokens: Int32Array): void => void streamed.push(...tokens);
    for (const prompt_lookup_num_tokens of [1, 3, 10])
      expect(await write(again, { ...options, prompt_lookup_num_tokens, streamer })).toEqual(plain);
    expect(streamed.slice(0, plain.length - again.length)).toEqual(plain.slice(again.length));
  });
  test('with an encoder too', async () => {
    const input_ids = tensor([[4, 5, 6]]);
    const plain = await bart.generate({ input_ids }, { backend, max_new_tokens: 15 });
    expect(await bart.generate({ input_ids }, { backend, max_new_tokens: 15, prompt_lookup_num_tokens: 4 })).toEqual(
      plain,
    );
  });
});

describe('stop strings', () => {
  test('end a text when its last token completes one, and not what stands in the prompt', async () => {
    const whole = await write(prompt, { max_new_tokens: 12 });
    const stop = letters.decode(whole.slice(6, 8));
    const first = whole.findIndex((_, i) => i >= 3 && letters.decode(whole.slice(0, i + 1)).endsWith(stop));
    const options = { max_new_tokens: 12, tokenizer: letters };
    expect(await write(prompt, { ...options, stop_strings: stop })).toEqual(whole.slice(0, first + 1));
    expect(await write(prompt, { ...options, stop_strings: [letters.decode(prompt)] })).toEqual(whole);
    // A string that begins in the prompt counts.
    expect(await write(prompt, { ...options, stop_strings: letters.decode(whole.slice(1, 4)) })).toEqual(
      whole.slice(0, 4),
    );
  });
  test('are found where tokens are more or less than a character', async () => {
    const { completes } = await import('./stop-strings.ts');
    const words = ['the ', 's', 'to', 'pped', ' at', 'é'];
    const bytes = new Map([
      [6, [0xc3]],
      [7, [0xa9]],
    ]);
    const tokenizer = {
      decode: (ids: readonly number[]): string =>
        Buffer.from(ids.flatMap((id) => bytes.get(id) ?? [...Buffer.from(words[id]!)])).toString(),
    };
    const stops = completes(['stop', 'é'], tokenizer);
    expect(stops([0, 1, 2, 3])).toBe(true);
    expect(stops([0, 1, 2])).toBe(false);
    expect(stops([0, 1, 2, 3, 4])).toBe(false);
    expect(stops([0, 6])).toBe(false);
    expect(stops([0, 6, 7])).toBe(true);
    expect(stops([0, 6, 7, 0])).toBe(false);
  });
});

describe('draws', () => {
  /** The probabilities of the next token, the most probable first. */
  const probabilities = (logits: ArrayLike<number>, keep: number) => {
    const top = Array.from(logits, (logit, token) => ({ logit, token }))
      .sort((a, b) => b.logit - a.logit)
      .slice(0, keep);
    const weights = top.map(({ logit }) => Math.exp(logit - top[0]!.logit));
    const total = weights.reduce((a, b) => a + b);
    return top.map(({ token }, i) => ({ token, p: weights[i]! / total }));
  };
  /** Pearson's statistic of what was drawn. */
  const chiSquared = (drawn: readonly number[], wanted: readonly { readonly token: number; readonly p: number }[]) => {
    expect(drawn.every((token) => wanted.some((w) => w.token === token))).toBe(true);
    return wanted.reduce((sum, { token, p }) => {
      const expected = drawn.length * p;
      return sum + (drawn.filter((t) => t === token).length - expected) ** 2 / expected;
    }, 0);
  };

  test('several of one text, with an encoder, by the probabilities that the model gives (chi-squared)', async () => {
    const input_ids = tensor([[4, 5, 6, 7]]);
    const attention_mask = tensor([[1, 1, 1, 1]]);
    const decoder_input_ids = tensor([[2]]);
    const graph = bart.graph({ inputs: ['input_ids', 'attention_mask', 'decoder_input_ids'], outputs: ['logits'] });
    const { outputs } = evaluate(
      graph,
      { input_ids, attention_mask, decoder_input_ids },
      Object.fromEntries(bart.parameters),
    );
    const times = 2000;
    const got = await bart.generate(
      { input_ids, attention_mask },
      {
        backend,
        do_sample: true,
        top_k: 6,
        max_new_tokens: 1,
        num_return_sequences: times,
        forced_eos_token_id: null,
        seed: 1,
      },
    );
    expect(got.shape).toEqual([times, 2]);
    const drawn = rowsOf(got).map((row) => row[1]!);
    // 5 degrees of freedom: 20.5 is exceeded once in a thousand times; the seed is fixed.
    expect(chiSquared(drawn, probabilities(outputs['logits']!.data, 6))).toBeLessThan(20.5);
  });

  test('of beams: without putting back', async () => {
    const input_ids = tensor(Array.from({ length: 1000 }, () => prompt));
    const graph = gpt2.graph({ inputs: ['input_ids'], outputs: ['logits'] });
    const { outputs } = evaluate(graph, { input_ids: tensor([prompt]) }, Object.fromEntries(gpt2.parameters));
    const six = probabilities(outputs['logits']!.data.slice(200, 300), 6);
    // Four of six are drawn; the most probable of them is what is written.
    const best = new Map<number, number>();
    const drawFrom = (left: typeof six, p: number, count: number, found: number): void => {
      if (count === 0) return void best.set(found, (best.get(found) ?? 0) + p);
      const total = left.reduce((sum, one) => sum + one.p, 0);
      for (const one of left)
        drawFrom(
          left.filter((x) => x !== one),
          (p * one.p) / total,
          count - 1,
          Math.min(found, six.indexOf(one)),
        );
    };
    drawFrom(six, 1, 4, Infinity);
    const wanted = [...best].map(([i, p]) => ({ token: six[i]!.token, p }));
    expect(wanted.length).toBe(3);
    const got = await gpt2.generate(
      { input_ids },
      { backend, do_sample: true, num_beams: 2, top_k: 6, max_new_tokens: 1, eos_token_id: null, seed: 2 },
    );
    // 2 degrees of freedom.
    expect(
      chiSquared(
        rowsOf(got).map((row) => row[3]!),
        wanted,
      ),
    ).toBeLessThan(13.8);
  });

  test('give scores with all that was left out', async () => {
    const { sequences, scores } = await gpt2.generate(
      { input_ids: tensor([prompt, prompt]) },
      { backend, do_sample: true, top_k: 5, max_new_tokens: 3, return_dict_in_generate: true, output_scores: true },
    );
    expect(scores!.map(({ shape }) => shape)).toEqual([
      [2, 100],
      [2, 100],
      [2, 100],
    ]);
    scores!.forEach(({ data }, step) => {
      for (const row of [0, 1]) {
        const own = Array.from(data).slice(100 * row, 100 * (row + 1));
        expect(own.filter((score) => score > -Infinity).length).toBe(5);
        expect(own[rowsOf(sequences)[row]![3 + step]!]).toBeGreaterThan(-Infinity);
      }
    });
  });
});

describe('generation_config.json', () => {
  test('is read, saved and second to the caller; without it config.json is asked', async () => {
    expect(gpt2.generation_config).toMatchObject({ bos_token_id: 98, eos_token_id: 99 });
    const saved = join(folder, 'saved');
    await gpt2.save_pretrained(saved);
    const path = join(saved, 'generation_config.json');
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({
      bos_token_id: 98,
      eos_token_id: 99,
    });
    await writeFile(path, JSON.stringify({ max_new_tokens: 4, num_beams: 3, eos_token_id: null, kept_as_it_is: 1 }));
    const told = await GPT2LMHeadModel.from_pretrained(saved);
    const input_ids = tensor([prompt]);
    const beams = await told.generate({ input_ids }, { backend });
    expect(beams).toEqual(
      await gpt2.generate({ input_ids }, { backend, max_new_tokens: 4, num_beams: 3, eos_token_id: null }),
    );
    expect((await told.generate({ input_ids }, { backend, max_new_tokens: 2 })).shape).toEqual([1, 5]);
    await told.save_pretrained(saved);
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ kept_as_it_is: 1, num_beams: 3 });
    await rm(path);
    const older = await GPT2LMHeadModel.from_pretrained(saved);
    expect(older.generation_config).toMatchObject({ eos_token_id: 99 });
    await older.save_pretrained(saved);
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ _from_model_config: true, eos_token_id: 99 });
    await told.free();
  });
});

test('says what is wrong', async () => {
  const bad = (options: object, message: RegExp) => expect(write(prompt, options as Options)).rejects.toThrow(message);
  await bad({ num_beams: 2, num_return_sequences: 3 }, /num_return_sequences is 3; it must be at most num_beams, 2/);
  await bad({ num_return_sequences: 3 }, /it must be 1 unless there are beams or draws/);
  await bad({ num_beans: 3 }, /there is no option 'num_beans'; the options are max_length/);
  await bad({ penalty_alpha: 0.6 }, /penalty_alpha is 0.6, which is not supported; say penalty_alpha: null/);
  await bad({ early_stopping: 'soon' }, /early_stopping is soon; it must be true, false or 'never'/);
  await bad({ stop_strings: 'x' }, /needs the tokenizer/);
  await bad({ num_beams: 2, streamer: () => undefined }, /with beams no token is sure/);
  await bad({ num_beams: 2, prompt_lookup_num_tokens: 2 }, /one text at a time/);
  await bad({ max_new_tokens: 0 }, /max_new_tokens is 0; it must be a whole number from 1 on/);
  await bad({ bad_words_ids: [[]] }, /bad_words_ids/);
  expect(await write(prompt, { penalty_alpha: null, max_new_tokens: 1 } as Options)).toHaveLength(4);
  const long = Array.from({ length: 40 }, () => 1);
  await expect(write(long, { max_new_tokens: 1 })).rejects.toThrow(
    /the prompt has 40 tokens, and there is room for 40/,
  );
  // As much as the model can take.
  expect(await write(long.slice(0, 38), { max_new_tokens: 10 })).toHaveLength(40);
  const two = gpt2.stream({ input_ids: tensor([prompt, prompt]) }, { backend, tokenizer: letters });
  await expect(two.next()).rejects.toThrow(/stream: writes one text, and 2 are asked for/);
  const base = await GPT2Model.from_pretrained(join(goldens, 'tiny-gpt2'));
  await expect(base.generate({ input_ids: tensor([prompt]) })).rejects.toThrow(
    new ConfigError('a GPT2Model does not write; load the checkpoint as GPT2LMHeadModel'),
  );
  const source = { input_ids: tensor([Array.from({ length: 21 }, () => 5)]) };
  await expect(bart.generate(source, { backend })).rejects.toThrow(InputError);
  await expect(
    bart.generate({ input_ids: tensor([[4]]), decoder_input_ids: tensor([[4], [5]]) }, { backend }),
  ).rejects.toThrow(/2 decoder_input_ids for 1 sources/);
});
