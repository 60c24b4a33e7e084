/** Finds a Python that has the given modules, for tests whose oracle is Python; prints why when there is none. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const venv = fileURLToPath(new URL('../.venv/bin/python', import.meta.url));

/**
 * The path of a Python interpreter that can import all of `modules` (the repository's `.venv` first, then `python3`),
 * or `undefined` after printing what is missing. Use as `describe.skipIf(!python)`.
 */
export function findPython(modules: readonly string[]): string | undefined {
  for (const candidate of [venv, 'python3']) {
    if (candidate === venv && !existsSync(venv)) continue;
    const check = spawnSync(candidate, ['-c', modules.map((m) => `import ${m}`).join('\n')], { encoding: 'utf8' });
    if (check.status === 0) return candidate;
  }
  console.warn(`skipped: no Python with ${modules.join(', ')} (run tools/python-setup.sh to make .venv)`);
  return undefined;
}
