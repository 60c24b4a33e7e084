/** A backend is passed in: what plans, and what plans are written in, knows of machines only what a `Target` says, and of no backend. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The code of a package, without tests and comments, by path. */
function codeOf(folder: string): [path: string, code: string][] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.includes('.test.'))
    .map((path) => {
      const text = readFileSync(join(root, folder, path), 'utf8');
      return [join(folder, path), text.replaceAll(/\/\*.*?\*\/|\/\/[^\n]*/gs, '')];
    });
}

const backends = readdirSync(join(root, 'packages')).flatMap((name) => /^backend-(.*)/.exec(name)?.slice(1) ?? []);
/** Names of backends and of what they are written in. The kinds of targets, `'cpu'` and `'gpu'`, are no backends. */
const names = new RegExp(
  `@sinter/backend|\\b(${[...backends.filter((name) => name !== 'cpu'), 'wasm', 'wgsl', 'vulkan', 'cuda', 'metal'].join('|')})`,
  'i',
);

test('there are backends to name', () => {
  expect(backends).toContain('webgpu');
  expect(names.test("if (backend.name === 'webgpu')")).toBe(true);
  expect(names.test("import { cpu } from '@sinter/backend-cpu';")).toBe(true);
});

test.each(['packages/ir/src', 'packages/compiler/src'])('nothing in %s names a backend', (folder) => {
  const found = codeOf(folder).flatMap(([path, code]) =>
    code.split('\n').flatMap((line) => (names.test(line) ? [`${path}: ${line.trim()}`] : [])),
  );
  expect(found).toEqual([]);
});

test('nobody asks a backend for its name before a plan is made', () => {
  const planning = codeOf('packages/compiler/src').filter(([path]) => !path.includes('/artifact/'));
  const found = planning.flatMap(([path, code]) => (/\bbackend\.name\b/.test(code) ? [path] : []));
  expect(found).toEqual([]);
});
