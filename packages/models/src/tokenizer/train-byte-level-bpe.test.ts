import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findPython } from '../../../../tools/python.ts';
import goldens from './goldens.test.json' with { type: 'json' };
import { trainByteLevelBPE } from './train-byte-level-bpe.ts';

// Texts with many equally frequent pairs, and pieces that are found in two ways.
const texts = [...goldens.corpus, ...goldens.texts.map(({ text }) => text), 'aaaa aaa aa abab babab ababa'.repeat(3)];

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'bpe-'))));
afterAll(() => rm(folder, { recursive: true, force: true }));

const python = findPython(['tokenizers', 'transformers']);
describe.skipIf(!python)('agrees with Python', () => {
  const run = (code: readonly string[], input: unknown): unknown => {
    const given = { input: JSON.stringify(input), encoding: 'utf8' } as const;
    const { stdout, stderr } = spawnSync(python!, ['-c', ['import json, sys', ...code].join('\n'), folder], given);
    if (stdout === '') throw new Error(stderr);
    return JSON.parse(stdout);
  };

  test.each([
    { vocab_size: 400, min_frequency: 2 },
    { vocab_size: 2000, min_frequency: 1, add_prefix_space: true },
  ])('the same vocabulary and merges: %o', (options) => {
    const learned = trainByteLevelBPE(texts, { ...options, special_tokens: ['<s>', '</s>'] }).json.model;
    const code = [
      'from tokenizers import ByteLevelBPETokenizer',
      'given = json.load(sys.stdin)',
      't = ByteLevelBPETokenizer(add_prefix_space=given["options"].pop("add_prefix_space", False))',
      't.train_from_iterator(given["texts"], special_tokens=["<s>", "</s>"], show_progress=False, **given["options"])',
      'model = json.loads(t._tokenizer.to_str())["model"]',
      'print(json.dumps([model["vocab"], model["merges"]]))',
    ];
    const [vocab, merges] = run(code, { texts, options }) as [unknown, unknown];
    expect(learned.vocab).toEqual(vocab);
    expect(learned.merges).toEqual(merges);
  });

  test('Python loads what save_pretrained wrote, and gives the same ids', async () => {
    const template = { single: '<s> $A </s>', pair: '<s> $A </s> $B </s>' };
    const ours = trainByteLevelBPE(texts, {
      vocab_size: 500,
      bos_token: '<s>',
      eos_token: '</s>',
      pad_token: '<pad>',
      template,
    });
    await ours.save_pretrained(folder);
    const code = [
      'from transformers import AutoTokenizer',
      't = AutoTokenizer.from_pretrained(sys.argv[1])',
      'texts = json.load(sys.stdin)',
      'print(json.dumps([t(texts)["input_ids"], t(["a"], ["b"])["input_ids"], t.pad_token_id, len(t)]))',
    ];
    expect(run(code, texts)).toEqual([
      ours(texts).input_ids,
      ours(['a'], { text_pair: ['b'] }).input_ids,
      ours.pad_token_id,
      ours.vocab_size,
    ]);
  });
});

test('every text comes back to the letter', () => {
  const t = trainByteLevelBPE(['low lower lower lowest'], { vocab_size: 270 });
  expect(t.tokenize('low lower')).toEqual(['low', 'Ġlower']);
  for (const text of texts) expect(t.decode(t.encode(text))).toBe(text);
});

test('errors', () => {
  expect(() => trainByteLevelBPE([], { vocab_size: 256, eos_token: '</s>' })).toThrow(/no room.*Say 257/);
  expect(() => trainByteLevelBPE([], { template: { single: '<s> $A' } })).toThrow(/'<s>', which is neither/);
});
