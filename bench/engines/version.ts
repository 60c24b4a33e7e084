import { readFileSync } from 'node:fs';

/** The version in the `package.json` of a folder, given relative to this one. */
export function versionOf(folder: string): string {
  const manifest = readFileSync(new URL(`${folder}/package.json`, import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
