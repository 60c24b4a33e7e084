import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from 'vitest';
import { findPython } from '../../../../tools/python.ts';
import { modelCacheFolder } from '../checkpoint/environment.ts';
import { AutoTokenizer, BertTokenizer } from './auto.ts';
import type { Encoding, IntTensor } from './batch.ts';
import { bertSpecialTokens, bertTokenizerJson, withNormalization } from './bert-json.ts';
import { TokenizerError } from './errors.ts';
import goldens from './goldens.test.json' with { type: 'json' };
import { createTokenizer } from './tokenizer.ts';
import type { EncodeOptions, PreTrainedTokenizer } from './tokenizer.ts';

/** The pieces of all-MiniLM-L6-v2 that the golden texts need, under their real ids. */
const config = { ...bertSpecialTokens, tokenizer_class: 'BertTokenizer', model_max_length: 512 };
const json = ((vocab: Readonly<Record<string, number>>) => {
  const bert = bertTokenizerJson(Object.values(bertSpecialTokens));
  const added_tokens = bert.added_tokens.map((token) => ({ ...token, id: vocab[token.content]! }));
  const special_tokens = Object.fromEntries(
    ['[CLS]', '[SEP]'].map((id) => [id, { id, ids: [vocab[id]!], tokens: [id] }]),
  );
  const post_processor = { ...bert.post_processor!, special_tokens };
  return { ...bert, added_tokens, post_processor, model: { ...bert.model, vocab } };
})(goldens.vocab);
const tokenizer = createTokenizer({ json, config });

const wholeModel = modelCacheFolder('all-MiniLM-L6-v2');
const hasWholeModel = existsSync(join(wholeModel, 'vocab.txt'));
if (!hasWholeModel) console.warn(`skipped: the whole vocabulary of all-MiniLM-L6-v2 (not in ${wholeModel})`);

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'tokenizer-'))));
afterAll(() => rm(folder, { recursive: true, force: true }));

function agreesWithPython(t: PreTrainedTokenizer): void {
  for (const { text, tokens, input_ids, decoded, decoded_plain, decoded_clean } of goldens.texts) {
    expect(t.tokenize(text), text).toEqual(tokens);
    expect(t(text).input_ids, text).toEqual(input_ids);
    expect(t.decode(input_ids), text).toBe(decoded);
    expect(t.decode(input_ids, { skip_special_tokens: true }), text).toBe(decoded_plain);
    expect(t.decode(input_ids, { clean_up_tokenization_spaces: true }), text).toBe(decoded_clean);
  }
  for (const { text, text_pair, whole, truncated } of goldens.pairs) {
    expect(t(text, { text_pair }), text).toEqual(whole);
    expect(t([[text, text_pair]]).input_ids, text).toEqual([whole.input_ids]);
    for (const { truncation, max_length, ...cut } of truncated) {
      const options = { text_pair, truncation, max_length } as EncodeOptions & { return_tensors?: undefined };
      expect(t(text, options), `${text} | ${text_pair}: ${truncation} to ${max_length}`).toEqual(cut);
    }
  }
  for (const { options, ...rows } of goldens.batches) {
    expect(t(goldens.batch, options as object), JSON.stringify(options)).toEqual(rows);
  }
}

describe('agrees with Hugging Face', () => {
  test('texts, pairs and batches, with the pieces that they need', () => agreesWithPython(tokenizer));

  test.skipIf(!hasWholeModel)('texts, pairs and batches, with the whole vocabulary', async () => {
    agreesWithPython(await BertTokenizer.from_pretrained(wholeModel));
  });

  test('cased, and with accents kept', () => {
    const cased = createTokenizer({
      json: withNormalization(json, { do_lower_case: false, tokenize_chinese_chars: false }),
      config,
    });
    const accents = createTokenizer({ json: withNormalization(json, { strip_accents: false }), config });
    for (const golden of goldens.texts) {
      expect(cased.encode(golden.text), golden.text).toEqual(golden.cased);
      expect(accents.encode(golden.text), golden.text).toEqual(golden.accents);
    }
  });

  const python = findPython(['transformers']);
  test.skipIf(!python)('Python loads what save_pretrained wrote, and gives the same ids', async () => {
    const small = BertTokenizer.from_vocab([...Object.values(bertSpecialTokens), 'hello', ',', 'wor', '##ld', 'é'], {
      strip_accents: false,
    });
    await small.save_pretrained(folder);
    const code = [
      'import json, sys',
      'from transformers import AutoTokenizer, BertTokenizer',
      'for C in (AutoTokenizer, BertTokenizer):',
      '    t = C.from_pretrained(sys.argv[1])',
      '    print(json.dumps([t("Hello, WORLD É")["input_ids"], t.model_max_length, t.pad_token_id, len(t)]))',
    ];
    const { stdout, stderr } = spawnSync(python!, ['-c', code.join('\n'), folder], { encoding: 'utf8' });
    const want = JSON.stringify([small.encode('Hello, WORLD É'), 512, small.pad_token_id, small.vocab_size]);
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => line.replaceAll(' ', '')),
      stderr,
    ).toEqual([want, want]);
  });
});

describe('from files', () => {
  const vocab = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'spam', 'ham', '##mer', '!'];
  const write = (name: string, content: unknown) =>
    writeFile(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
  const empty = async () => {
    await rm(folder, { recursive: true, force: true });
    folder = await mkdtemp(join(tmpdir(), 'tokenizer-'));
  };

  test('vocab.txt alone is enough', async () => {
    await empty();
    await write('vocab.txt', `${vocab.join('\n')}\n`);
    for (const t of [await BertTokenizer.from_pretrained(folder), await AutoTokenizer.from_pretrained(folder)]) {
      expect(t.encode('Spam hammer!')).toEqual([2, 5, 6, 7, 8, 3]);
      expect([t.vocab_size, t.model_max_length, t.pad_token_id, t.mask_token]).toEqual([9, 512, 0, '[MASK]']);
    }
  });

  test('what is saved loads as the same tokenizer', async () => {
    await empty();
    const first = BertTokenizer.from_vocab(vocab, { do_lower_case: false, model_max_length: 64 });
    const names = (await first.save_pretrained(folder)).map((path) => path.slice(folder.length + 1));
    expect(names.sort()).toEqual(['special_tokens_map.json', 'tokenizer.json', 'tokenizer_config.json', 'vocab.txt']);
    expect(await readFile(join(folder, 'vocab.txt'), 'utf8')).toBe(`${vocab.join('\n')}\n`);
    const second = await BertTokenizer.from_pretrained(folder);
    expect(second.json).toEqual(first.json);
    expect(second.config).toEqual(first.config);
    expect(second.encode('Spam ham')).toEqual([2, 1, 6, 3]);
    expect((await AutoTokenizer.from_pretrained(folder, { do_lower_case: true })).encode('Spam ham')).toEqual([
      2, 5, 6, 3,
    ]);
  });

  test('errors say what is missing and what to do', async () => {
    await empty();
    await expect(BertTokenizer.from_pretrained(folder)).rejects.toThrow(/neither tokenizer.json nor vocab.txt/);
    await write('tokenizer.json', '{"model":');
    await expect(BertTokenizer.from_pretrained(folder)).rejects.toThrow(/tokenizer.json in .* is not JSON/);
    await write('tokenizer.json', { model: {} });
    await expect(BertTokenizer.from_pretrained(folder)).rejects.toThrow(/no model with a type/);
    await write('tokenizer.json', { ...bertTokenizerJson(vocab), model: { type: 'BPE', vocab: { a: 0 }, merges: [] } });
    await expect(BertTokenizer.from_pretrained(folder)).rejects.toThrow(/BPE tokenizer.*AutoTokenizer/);
    await write('tokenizer.json', { ...bertTokenizerJson(vocab), normalizer: { type: 'Nonsense' } });
    await expect(AutoTokenizer.from_pretrained(folder)).rejects.toThrow(TokenizerError);
    expect(() => BertTokenizer.from_vocab(['[PAD]', 'a'])).toThrow(/has no '\[UNK\]', BERT's unk_token/);
    expect(() => BertTokenizer.from_vocab([...vocab, 'ham'])).toThrow(/'ham' more than once/);
  });

  test('a byte-level BPE tokenizer without token types', async () => {
    await empty();
    const pieces = ['<pad>', 'h', 'i', 'Ġ', 'hi', 'Ġhi'];
    await write('tokenizer.json', {
      added_tokens: [
        { id: 0, content: '<pad>', special: true, single_word: false, lstrip: false, rstrip: false, normalized: false },
      ],
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
      post_processor: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: true },
      decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
      model: { type: 'BPE', vocab: Object.fromEntries(pieces.map((p, i) => [p, i])), merges: ['h i', 'Ġ hi'] },
    });
    await write('tokenizer_config.json', {
      tokenizer_class: 'GPT2Tokenizer',
      pad_token: '<pad>',
      model_max_length: 1e30,
    });
    const t = await AutoTokenizer.from_pretrained(folder);
    expect(t('hi hi', { text_pair: ' hi' })).toEqual({ input_ids: [4, 5, 5], attention_mask: [1, 1, 1] });
    expect(t.decode([4, 5])).toBe('hi hi');
    expect(t.model_max_length).toBe(Infinity);
    expect(() => t('hi', { padding: 'max_length' })).toThrow(/needs a max_length/);
  });
});

describe('batches', () => {
  test('tensors are flat arrays with their shape', () => {
    const batch = tokenizer(['Hello, world!', ''], { padding: true, return_tensors: 'i32' });
    expectTypeOf(batch).toEqualTypeOf<Encoding<IntTensor>>();
    expect(batch.input_ids.shape).toEqual([2, 6]);
    expect(batch.input_ids.data).toBeInstanceOf(Int32Array);
    expect([...batch.attention_mask.data]).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0]);
    expect(tokenizer('Hello', { return_tensors: 'i32' }).input_ids.shape).toEqual([1, 3]);
    expect(tokenizer.batch_decode(batch.input_ids, { skip_special_tokens: true })).toEqual(['hello, world!', '']);
    expect(tokenizer([], { return_tensors: 'i32' }).input_ids.shape).toEqual([0, 0]);
  });

  test('one text gives rows of numbers, several give arrays of rows', () => {
    expectTypeOf(tokenizer('a')).toEqualTypeOf<Encoding<number[]>>();
    expectTypeOf(tokenizer(['a', 'b'])).toEqualTypeOf<Encoding<number[][]>>();
    expect(tokenizer(['Hello', 'world'], { text_pair: ['a', 'b'] })).toEqual(
      tokenizer([
        ['Hello', 'a'],
        ['world', 'b'],
      ]),
    );
    expect(tokenizer('Hello', { return_token_type_ids: false })).not.toHaveProperty('token_type_ids');
  });

  test('pad does what a collator needs', () => {
    const rows = ['Hello, world!', 'a', ''].map((text) => tokenizer(text));
    expect(tokenizer.pad(rows)).toEqual(tokenizer(['Hello, world!', 'a', ''], { padding: true }));
    const { input_ids, attention_mask } = tokenizer.pad([{ input_ids: [7] }, { input_ids: [7, 8, 9] }], {
      pad_to_multiple_of: 4,
      padding_side: 'left',
      return_tensors: 'i32',
    });
    expect([...input_ids.data]).toEqual([0, 0, 0, 7, 0, 7, 8, 9]);
    expect([...attention_mask.data]).toEqual([0, 0, 0, 1, 0, 1, 1, 1]);
  });

  test('ids and pieces', () => {
    expect(tokenizer.convert_tokens_to_ids(['[CLS]', 'hello', 'no such piece'])).toEqual([101, 7592, 100]);
    expect(tokenizer.convert_ids_to_tokens([101, 7592])).toEqual(['[CLS]', 'hello']);
    expect(tokenizer.convert_ids_to_tokens(tokenizer.convert_tokens_to_ids('hello'))).toBe('hello');
    expect(tokenizer.num_special_tokens_to_add(true)).toBe(3);
    expect(tokenizer.all_special_ids).toHaveLength(5);
    expect(tokenizer.decode([])).toBe('');
  });

  test('errors', () => {
    expect(() => tokenizer(['a', 'b'], { text_pair: ['c'] })).toThrow(/1 texts for a batch of 2/);
    expect(() => tokenizer([3 as unknown as string])).toThrow(/Entry 0 of the batch/);
    expect(() => tokenizer('a', { truncation: true, max_length: 1 })).toThrow(/no room for the 2 special tokens/);
    expect(() => tokenizer('a', { text_pair: 'hello', truncation: 'only_first', max_length: 4 - 1 })).toThrow(
      /'only_first' has to remove/,
    );
    expect(() => tokenizer(['a', 'hello world'], { return_tensors: 'i32' })).toThrow(/rows of one length/);
    expect(() => tokenizer.pad([{}])).toThrow(/entry 0 of the batch has no input_ids/);
    expect(() => tokenizer.convert_ids_to_tokens(1_000_000)).toThrow(/no token with id 1000000/);
  });
});
