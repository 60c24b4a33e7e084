import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, expectTypeOf, test } from 'vitest';
import { findPython } from '../../../../tools/python.ts';
import type { Encoding, IntTensor } from './batch.ts';
import { char_to_token, word_to_tokens } from './encode.ts';
import type { Offset } from './encode.ts';
import { trainByteLevelBPE } from './train-byte-level-bpe.ts';
import { trainWordPiece } from './train-word-piece.ts';

const question = 'Who saw the whale?';
const context = 'Ishmael saw the white whale — 🐋 — and Ahab saw it too; the café was far away, and so was Nantucket.';
const bert = trainWordPiece([question, context], { vocab_size: 90 });
const gpt = trainByteLevelBPE([question, context], { vocab_size: 290, bos_token: '<s>' });

test('offsets are places in the string, whatever the normalizer does', () => {
  const text = 'CAFÉ 🐋 e\u0301';
  const { offset_mapping, word_ids, sequence_ids } = bert(text, { return_offsets_mapping: true });
  expectTypeOf(offset_mapping).toEqualTypeOf<Offset[]>();
  expect(offset_mapping[0]).toEqual([0, 0]);
  expect([word_ids[0], sequence_ids[0], sequence_ids.at(-1)]).toEqual([null, null, null]);
  const parts = offset_mapping.slice(1, -1).map(([start, end]) => text.slice(start, end));
  expect(parts.join('|')).toMatch(/^C.*É\|🐋\|e/u);
  const bytes = gpt('🐋', { return_offsets_mapping: true }).offset_mapping;
  expect(bytes.every(([start, end]) => start === 0 && end === 2)).toBe(true);
});

test('from characters and words to tokens', () => {
  const row = bert(question, { text_pair: context, return_offsets_mapping: true });
  for (const sequence of [0, 1] as const) {
    const text = sequence === 0 ? question : context;
    const at = text.indexOf('saw');
    const token = char_to_token(row, at, sequence)!;
    const [start, end] = word_to_tokens(row, row.word_ids[token]!, sequence)!;
    expect(text.slice(row.offset_mapping[start]![0], row.offset_mapping[end - 1]![1])).toBe('saw');
    expect(char_to_token(row, at - 1, sequence)).toBeUndefined();
  }
  expect(word_to_tokens(row, 1000)).toBeUndefined();
});

test('half a surrogate pair is read as U+FFFD and keeps its place', () => {
  const { input_ids, offset_mapping } = gpt('a\ud83db', { return_offsets_mapping: true });
  expect(gpt.decode(input_ids)).toBe('a\ufffdb');
  expect(offset_mapping.at(-1)).toEqual([2, 3]);
});

test('batches with offsets are padded, and tensors keep them as rows', () => {
  const options = { return_offsets_mapping: true, padding: true } as const;
  const { input_ids, offset_mapping, word_ids } = bert([question, 'a'], options);
  expect(offset_mapping[1]).toHaveLength(input_ids[1]!.length);
  expect([offset_mapping[1]!.at(-1), word_ids[1]!.at(-1)]).toEqual([[0, 0], null]);
  const tensors = bert([question, 'a'], { ...options, return_tensors: 'i32' });
  expectTypeOf(tensors).toExtend<Encoding<IntTensor>>();
  expect(tensors.offset_mapping).toEqual(offset_mapping);
});

test('a window must move', () => {
  const options = { truncation: true, max_length: 8, stride: 6, return_overflowing_tokens: true } as const;
  expect(() => bert(context, options)).toThrow(/stride 6 leaves no room.*6 of them/);
});

const python = findPython(['transformers']);
test.skipIf(!python)('windows over long texts are those of Python', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'windows-'));
  await bert.save_pretrained(folder);
  const cases = [
    { text_pair: undefined, truncation: true, max_length: 12, stride: 3 },
    { text_pair: context, truncation: 'only_second', max_length: 24, stride: 5 },
    { text_pair: context, truncation: 'longest_first', max_length: 17, stride: 2 },
    { text_pair: context, truncation: 'only_second', max_length: 200, stride: 0 },
  ] as const;
  const code = [
    'import json, sys',
    'from transformers import AutoTokenizer',
    't = AutoTokenizer.from_pretrained(sys.argv[1])',
    'for text, options in json.load(sys.stdin):',
    '    pair = options.pop("text_pair", None)',
    '    e = t([text, text], [pair, pair] if pair else None, return_overflowing_tokens=True, **options)',
    '    rows = range(len(e["input_ids"]))',
    '    print(json.dumps([e["input_ids"], e["overflow_to_sample_mapping"], [e.word_ids(i) for i in rows], [e.sequence_ids(i) for i in rows]]))',
  ];
  const input = JSON.stringify(cases.map((options) => [options.text_pair ? question : context, options]));
  const { stdout, stderr } = spawnSync(python!, ['-c', code.join('\n'), folder], { input, encoding: 'utf8' });
  const lines = stdout.trim().split('\n');
  expect(lines, stderr).toHaveLength(cases.length);
  cases.forEach(({ text_pair, ...options }, i) => {
    const text = text_pair ? question : context;
    const texts = text_pair
      ? ([
          [text, text_pair],
          [text, text_pair],
        ] as const)
      : [text, text];
    const found = bert(texts, { ...options, return_overflowing_tokens: true, return_offsets_mapping: true });
    const { input_ids, overflow_to_sample_mapping, word_ids, sequence_ids } = found;
    expect([input_ids, overflow_to_sample_mapping, word_ids, sequence_ids]).toEqual(JSON.parse(lines[i]!));
  });
  await rm(folder, { recursive: true });
});
