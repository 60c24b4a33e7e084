/** The version of this package, as its `package.json` has it. */
import { readFileSync } from 'node:fs';

const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };

/** E.g. `0.1.0`. */
export const version = manifest.version;
