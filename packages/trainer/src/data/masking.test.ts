import { expect, test } from 'vitest';
import { TrainerError } from '../errors.ts';
import { dataCollatorForLanguageModeling } from './masking.ts';
import type { LanguageModelingOptions } from './masking.ts';

/** Ids 0 to 4 are special, 5 to 9 begin words, from 10 on they go on. */
const tokenizer = {
  mask_token_id: 4,
  pad_token_id: 0,
  all_special_ids: [0, 1, 2, 3, 4],
  vocab_size: 1000,
  convert_ids_to_tokens: (id: number) => (id < 10 ? `word${id}` : `##${id}`),
};
const ids = { shape: ['batch', 'seq'], dtype: 'i32' } as const;
const inputs = {
  input_ids: ids,
  attention_mask: { ...ids, missing: 1 },
  labels: { ...ids, ignored: -100, label: true },
  next_sentence_label: { shape: ['batch'], dtype: 'i32', label: true },
} as const;
const collate = (more: Partial<LanguageModelingOptions> = {}) =>
  dataCollatorForLanguageModeling({ tokenizer, inputs, ...more });
/** Texts of 200 tokens: begin, words of three pieces, end. */
const texts = Array.from({ length: 64 }, (_, i) => ({
  input_ids: [2, ...Array.from({ length: 198 }, (_, j) => (j % 3 === 0 ? 5 + (j % 5) : 10 + ((i + j) % 50))), 3],
  next_sentence_label: i % 2,
}));
const places = texts.map((_, i) => i);

test('15 % are chosen; of these 80 % are masked, 10 % are others and 10 % stay', async () => {
  const batch = await collate()(texts, places);
  const [before, after, labels] = [texts.flatMap((t) => t.input_ids), batch['input_ids']!.data, batch['labels']!.data];
  const chosen = before.flatMap((id, i) => (labels[i] === -100 ? [] : [{ id, label: labels[i], now: after[i]! }]));
  expect(chosen.every(({ id, label }) => id === label && id > 4)).toBe(true);
  const share = (n: number) => n / chosen.length;
  // Five standard deviations of so many draws.
  expect(Math.abs(chosen.length / (64 * 198) - 0.15)).toBeLessThan(0.016);
  expect(Math.abs(share(chosen.filter(({ now }) => now === 4).length) - 0.8)).toBeLessThan(0.046);
  expect(Math.abs(share(chosen.filter(({ id, now }) => now === id).length) - 0.1)).toBeLessThan(0.035);
  before.forEach((id, i) => void (labels[i] === -100 && expect(after[i]).toBe(id)));
  expect([...batch['next_sentence_label']!.data]).toEqual(texts.map((t) => t.next_sentence_label));
});

test('words are hidden whole', async () => {
  const { labels } = await collate({ whole_word: true, mlm_probability: 0.3 })(texts, places);
  let words = 0;
  for (let row = 0; row < 64; row++)
    for (let at = row * 200 + 1; at < row * 200 + 199; at += 3) {
      const isChosen = [0, 1, 2].map((k) => labels!.data[at + k] !== -100);
      expect(new Set(isChosen).size).toBe(1);
      words += Number(isChosen[0]);
    }
  expect(Math.abs(words / (64 * 66) - 0.3)).toBeLessThan(0.035);
});

test('chance is of the seed and the examples', async () => {
  const labels = async (seed: number, order: number[]) =>
    (
      await collate({ seed })(
        order.map((i) => texts[i]!),
        order,
      )
    )['labels']!.data;
  expect(await labels(1, [0, 1])).toEqual(await labels(1, [0, 1]));
  expect(await labels(1, [0, 1])).not.toEqual(await labels(2, [0, 1]));
  const other = await labels(1, [2, 1]);
  expect([...other.slice(200)]).not.toEqual([...(await labels(1, [0, 1])).slice(200)]);
});

test('padding is never hidden; without masks labels are the ids', async () => {
  const rows = [{ input_ids: [2, 5, 6, 3] }, { input_ids: [2, 7, 3] }];
  const { labels } = await collate({ mlm: false })(rows, [0, 1]);
  expect([...labels!.data]).toEqual([2, 5, 6, 3, 2, 7, 3, -100]);
  const masked = await collate({ mlm_probability: 0.99 })(rows, [0, 1]);
  expect(masked['labels']!.data[7]).toBe(-100);
  expect([...masked['attention_mask']!.data]).toEqual([1, 1, 1, 1, 1, 1, 1, 0]);
});

test('what cannot be is refused', () => {
  expect(() => collate({ tokenizer: { ...tokenizer, mask_token_id: undefined } })).toThrow(TrainerError);
  expect(() => collate({ mlm_probability: 15 })).toThrow(/mlm_probability is 15/);
  expect(() => collate({ inputs: { input_ids: ids } })).toThrow(/no input 'labels'/);
});
