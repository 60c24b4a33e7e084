/** What embeddings are made with: all-MiniLM-L6-v2 in the files of both libraries, and the mails. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadMails } from '../../examples/spam/data/mails.ts';
import { findMiniLM } from '../../examples/spam/model.ts';
import { findPython } from '../../tools/python.ts';
import type { Programs } from '../harness/work.ts';

type Embeds = Programs['embeds'];

/** The texts. */
export async function mailsOf({ mails }: Embeds): Promise<string[]> {
  const { train } = await loadMails({ seed: 42 });
  return train.slice(0, mails).map(({ text }) => text);
}

/** The folder of the model, whose tokenizer cuts at `max_length`. @throws Error if the weights, or a Python that writes ONNX, cannot be had */
export async function folderOf({ max_length }: Embeds): Promise<string> {
  const cache = fileURLToPath(new URL('../node_modules/.cache/', import.meta.url));
  const folder = `${cache}minilm-${max_length}`;
  if (existsSync(folder)) return folder;
  const found = await findMiniLM(() => undefined);
  if (!found) throw new Error('all-MiniLM-L6-v2 cannot be reached');
  const python = findPython(['torch', 'transformers']);
  if (!python) throw new Error('no Python with torch and transformers here, which writes the ONNX file');
  const unfinished = `${folder}.${process.pid}`;
  mkdirSync(join(unfinished, 'onnx'), { recursive: true });
  try {
    for (const name of ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'])
      cpSync(join(found.folder, name), join(unfinished, name), { dereference: true });
    const config = join(unfinished, 'tokenizer_config.json');
    const keys = JSON.parse(readFileSync(config, 'utf8')) as object;
    writeFileSync(config, JSON.stringify({ ...keys, model_max_length: max_length }));
    const script = fileURLToPath(new URL('export.py', import.meta.url));
    const args = [script, unfinished, join(unfinished, 'onnx/model.onnx')];
    const { status, stderr } = spawnSync(python, args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`export.py failed: ${stderr.trim().split('\n').at(-1)}`);
    renameSync(unfinished, folder);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return folder;
}
