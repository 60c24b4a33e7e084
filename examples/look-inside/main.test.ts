/** The example on a small model of its own. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { BertForSequenceClassification, BertTokenizer } from '@sinter/models';
import { afterAll, expect, test } from 'vitest';

const folder = await mkdtemp(join(tmpdir(), 'sinter-look-inside-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

test('explains a mail and finds the layer that decides', async () => {
  const words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'free', 'prize', 'notes', 'of', 'our', 'meeting'];
  await BertTokenizer.from_vocab(words).save_pretrained(folder);
  const size = { vocab_size: 11, hidden_size: 16, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 32 };
  await BertForSequenceClassification.from_config({
    ...size,
    initializer_range: 0.3,
    id2label: { 0: 'ham', 1: 'spam' },
  }).save_pretrained(folder);
  const html = join(folder, 'out.html');
  const main = fileURLToPath(new URL('main.ts', import.meta.url));
  const node = ['--conditions=@sinter/source', '--import', import.meta.resolve('tsx'), main];
  const options = ['--model', folder, '--text', 'free prize', '--other', 'notes of our meeting', '--html', html];
  const { stdout } = await promisify(execFile)(process.execPath, [...node, ...options]);
  expect(stdout).toMatch(/(ham|spam): logit/);
  expect(stdout).toMatch(/ {2}prize/);
  expect(await readFile(html, 'utf8')).toMatch(/<span class="(for|against)"[^>]*>prize<\/span>/);
  // After the last layer the first token's state is all that counts.
  const value = /logit (-?[\d.]+)/.exec(stdout)![1]!;
  expect(stdout).toContain(`bert.encoder.layer.1.hidden: ${value}`);
}, 60_000);
