/** Bits are those of the probabilities, and every token counts once, however it is read. */
import { cpu } from '@sinter/backend-cpu';
import { GPT2LMHeadModel } from '@sinter/models';
import { expect, test } from 'vitest';
import { compressed, compressors } from './compress.ts';
import { bitsOf, trainingExamples, windows } from './tokens.ts';

test('windows predict every token but the first once, with those before it', () => {
  for (const [tokens, length, stride] of [
    [100, 16, 4],
    [101, 16, 15],
    [17, 16, 5],
    [16, 16, 8],
    [2, 2, 1],
  ] as const) {
    const counted = new Array<number>(tokens).fill(0);
    for (const { start, from } of windows(tokens, length, stride)) {
      expect(start).toBeLessThan(from);
      expect(start + length).toBeLessThanOrEqual(tokens);
      for (let i = from; i < start + length; i++) counted[i]!++;
    }
    expect(counted).toEqual([0, ...new Array<number>(tokens - 1).fill(1)]);
  }
});

test('bits are −log₂ of what the model gives each token', async () => {
  const model = GPT2LMHeadModel.from_config(
    { vocab_size: 11, n_positions: 8, n_embd: 16, n_layer: 1, n_head: 2, initializer_range: 0.5 },
    { seed: 3 },
  );
  const backend = cpu({ threads: 1 });
  const tokens = [0, 4, 9, 1, 1, 7, 10, 3, 5, 2, 8, 0];
  await using loss = await model.compile(backend, { inputs: ['input_ids', 'labels'], outputs: ['loss'] });
  await using logits = await model.compile(backend);

  let bits = 0;
  for (let at = 1; at < tokens.length; at++) {
    const seen = tokens.slice(Math.max(0, at - 7), at);
    const out = (await logits({ input_ids: { data: Int32Array.from(seen), shape: [1, seen.length] } })).logits!;
    const own = (out.data as Float32Array).subarray(-11);
    const sum = own.reduce((total, x) => total + Math.exp(x), 0);
    bits -= Math.log2(Math.exp(own[tokens[at]!]!) / sum);
  }
  expect(await bitsOf(loss, tokens, { length: 8, stride: 1, batch: 2 })).toBeCloseTo(bits, 3);
});

test('examples share a token with their neighbours', () => {
  const examples = trainingExamples(
    [
      [0, 1, 2, 3, 0],
      [0, 4, 5, 6, 0],
    ],
    4,
  );
  expect(examples.map(({ input_ids }) => input_ids)).toEqual([
    [1, 2, 3, 0],
    [0, 4, 5, 6],
  ]);
});

test('a compressor that has read the text before needs hardly anything for it', () => {
  const text = Array.from({ length: 500 }, (_, i) => Math.sin(i).toFixed(4)).join(' ');
  const gzip = compressed(compressors['gzip -9']!, text, text)!;
  expect(gzip.alone).toBeGreaterThan(2);
  expect(gzip.behind).toBeLessThan(0.2);
  expect(compressed(() => undefined, text, text)).toBeUndefined();
});
