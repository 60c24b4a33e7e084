/** The tokenizers alone, bundled for a browser: nothing of Node comes along, and they do what they do here. */
import { fileURLToPath } from 'node:url';
import { runInNewContext } from 'node:vm';
import { build } from 'vite';
import { expect, test } from 'vitest';
import { createTokenizer } from './index.ts';
import { trainWordPiece } from './train-word-piece.ts';

const texts = ['Free lunch at noon!', 'The quick brown fox jumps over the lazy dog.', 'Crème brûlée, 東京'];

test('the subpath bundles without Node, and a tokenizer of its files gives the same ids there', async () => {
  const lib = {
    entry: fileURLToPath(new URL('index.ts', import.meta.url)),
    formats: ['iife'] as 'iife'[],
    name: 'bundle',
  };
  const built = await build({ configFile: false, logLevel: 'error', build: { lib, write: false } });
  const [chunk] = [built].flat().flatMap((output) => ('output' in output ? output.output : []));
  if (chunk?.type !== 'chunk') throw new Error('no code was built');
  expect([...chunk.imports, ...chunk.dynamicImports]).toEqual([]);
  expect(chunk.moduleIds.filter((id) => id.includes('browser-external'))).toEqual([]);

  const { json, config } = trainWordPiece(texts, { vocab_size: 120 });
  const given = JSON.stringify({ parts: { json, config }, texts });
  const there = (does: string): unknown =>
    runInNewContext(`${chunk.code}; const { parts, texts } = JSON.parse(given); ${does}`, {
      given,
      TextEncoder,
      TextDecoder,
    });
  const ids = JSON.parse(
    there('JSON.stringify(bundle.createTokenizer(parts)(texts).input_ids)') as string,
  ) as number[][];
  expect(ids).toEqual(createTokenizer({ json, config })(texts).input_ids);
  expect(new Set(ids.flat()).size).toBeGreaterThan(20);
  await expect(there("bundle.createTokenizer(parts).save_pretrained('.')")).rejects.toThrow(/no folders here/);
  expect(() => there('bundle.createTokenizer(parts).apply_chat_template([])')).toThrow(/made without chats/);
});
