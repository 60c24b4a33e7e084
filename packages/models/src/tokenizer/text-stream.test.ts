import { expect, test } from 'vitest';
import goldens from './goldens.test.json' with { type: 'json' };
import { createTextStream } from './text-stream.ts';
import { trainByteLevelBPE } from './train-byte-level-bpe.ts';

const texts = goldens.texts.map(({ text }) => text);
const tokenizer = trainByteLevelBPE(['low lower'], { vocab_size: 262, eos_token: '</s>' });

test('characters come whole, and all of them come', () => {
  const stream = createTextStream(tokenizer);
  for (const text of texts) {
    const parts = tokenizer.encode(text).map((id) => stream.push([id]));
    expect([...parts, stream.end()].join('')).toBe(text);
    if (!text.includes('\ufffd')) expect(parts.join('|')).not.toContain('\ufffd');
  }
});

test('a character waits for its bytes, and what never becomes one is U+FFFD', () => {
  const stream = createTextStream(tokenizer);
  const [a, b, c] = tokenizer.encode('€') as [number, number, number];
  expect([stream.push([a]), stream.push([b]), stream.push([c]), stream.end()]).toEqual(['', '', '€', '']);
  expect([stream.push([a, b]), stream.end()]).toEqual(['', '\ufffd']);
  expect([stream.push([a]), stream.push(tokenizer.encode('low')), stream.end()]).toEqual(['', '\ufffdlow', '']);
});

test('special tokens are left out on demand', () => {
  const ids = [...tokenizer.encode('low'), tokenizer.eos_token_id!, ...tokenizer.encode(' lower')];
  const all = (skip_special_tokens: boolean) => {
    const stream = createTextStream(tokenizer, { skip_special_tokens });
    return ids.map((id) => stream.push([id])).join('') + stream.end();
  };
  expect(all(true)).toBe('low lower');
  expect(all(false)).toBe('low</s> lower');
});
