/** The folder of a model that writes, made once by Python and kept: 1.2 GB of GPT-2 small. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { findPython } from '../../tools/python.ts';
import type { Programs } from '../harness/work.ts';

/** The path of the folder. @throws Error if there is no Python with torch and transformers */
export function folderOf({ config }: Programs['writes']): string {
  const keys = JSON.stringify(config);
  const cache = fileURLToPath(new URL('../node_modules/.cache/', import.meta.url));
  const folder = `${cache}gpt2-${createHash('sha256').update(keys).digest('hex').slice(0, 12)}`;
  if (existsSync(folder)) return folder;
  const python = findPython(['torch', 'transformers']);
  if (!python) throw new Error('no Python with torch and transformers here, which makes the weights');
  const unfinished = `${folder}.${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  try {
    const script = fileURLToPath(new URL('export.py', import.meta.url));
    const { status, stderr } = spawnSync(python, [script, unfinished, keys], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`export.py failed: ${stderr.trim().split('\n').at(-1)}`);
    renameSync(unfinished, folder);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return folder;
}
