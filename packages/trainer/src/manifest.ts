/** The list of a checkpoint's files with their sizes and hashes, by which damage is found before anything is read. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stableJson } from './stable-json.ts';

const name = 'checkpoint_files.json';

interface File {
  readonly bytes: number;
  readonly sha256: string;
}

/** Lists all files below a folder in `checkpoint_files.json`. */
export async function writeManifest(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files: Record<string, File> = {};
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const key = path.slice(folder.length + 1).replaceAll('\\', '/');
    files[key] = { bytes: (await stat(path)).size, sha256: await hash(path) };
  }
  await writeFile(join(folder, name), stableJson(files));
}

/** What is wrong with the files of a folder, in words; `undefined` if nothing is, or if there is no list of them. */
export async function damageIn(folder: string): Promise<string | undefined> {
  const text = await readFile(join(folder, name), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  let files: Record<string, File>;
  try {
    files = JSON.parse(text) as Record<string, File>;
  } catch {
    return `${name} is not JSON`;
  }
  for (const [key, { bytes, sha256 }] of Object.entries(files)) {
    const path = join(folder, key);
    const size = (await stat(path).catch(() => undefined))?.size;
    if (size === undefined) return `${key} is missing`;
    if (size !== bytes) return `${key} has ${size} bytes, and had ${bytes} when it was written`;
    if ((await hash(path)) !== sha256) return `${key} is not what was written`;
  }
  return undefined;
}

async function hash(path: string): Promise<string> {
  const digest = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) digest.update(chunk as Buffer);
  return digest.digest('hex');
}
