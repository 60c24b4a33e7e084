/** What the packages that compile are made of, in a few characters: what they made is kept for this and for nothing else. */
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The packages of a checkout whose edits change what is compiled. */
const compiling = /^(ir|compiler|backend-.*)$/;

/**
 * The version of Sinter where it is installed as packages (they are released together, and depend on each other's exact version); the names,
 * sizes and times of the files that it is loaded from in a checkout, or where it is bundled. `undefined` where these have changed since
 * the process began: then nobody knows which of them it is running.
 */
export function ownSources(): string | undefined {
  known ??= { sources: find(fileURLToPath(import.meta.url)) };
  return known.sources;
}

let known: { readonly sources: string | undefined } | undefined;

function find(file: string): string | undefined {
  const [root, name] = packageOf(file);
  if (name !== '@sinter/compiler') return stamp([dirname(file)], false);
  if (root.includes(`${sep}node_modules${sep}`)) return readFileSync(join(root, 'package.json'), 'utf8');
  const siblings = dirname(root);
  const loaded = file.slice(root.length + 1).split(sep)[0]!;
  const folders = readdirSync(siblings).filter((folder) => compiling.test(folder));
  return stamp(
    folders.map((folder) => join(siblings, folder, loaded)),
    true,
  );
}

/** The folder of the package that a file belongs to, and the package's name. */
function packageOf(file: string): readonly [string, string | undefined] {
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    try {
      return [folder, (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name?: string }).name];
    } catch {
      // Further out.
    }
  }
  return [dirname(file), undefined];
}

function stamp(folders: readonly string[], recursive: boolean): string | undefined {
  const hash = createHash('sha256');
  for (const folder of folders) {
    for (const name of filesIn(folder, recursive).sort()) {
      const { size, mtimeMs } = statSync(join(folder, name));
      if (mtimeMs > performance.timeOrigin) return undefined;
      hash.update(`${folder}/${name} ${size} ${mtimeMs}\n`);
    }
  }
  return hash.digest('hex');
}

/** The code in a folder. */
function filesIn(folder: string, recursive: boolean): string[] {
  try {
    return (readdirSync(folder, { recursive }) as string[]).filter(
      (name) => /\.[cm]?[jt]s$/.test(name) && !/\.test\.|\.d\.[cm]?ts$/.test(basename(name)),
    );
  } catch {
    return [];
  }
}
