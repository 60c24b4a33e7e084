/**
 * Proves that the direction of imports is enforced: wrong imports are written into the packages, which are then linted
 * the way `npm run lint` does it. (A bare `eslint` on a fresh clone has no project graph, skips the rule and exits 0.)
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

const boundary = '@nx/enforce-module-boundaries';

/** What is wrong, the package it is written into, the code, and the rule that must say so. */
const wrong = [
  ['the IR uses the compiler', 'ir', `import {} from '@sinter/compiler';`, boundary],
  ['the IR reaches into the compiler by path', 'ir', `import {} from '../../compiler/src/index.ts';`, boundary],
  ['the IR uses Node', 'ir', `import {} from 'node:fs';`, 'no-restricted-imports'],
  ['the compiler uses a backend, types only', 'compiler', `import type {} from '@sinter/backend-cpu';`, boundary],
  ['the trainer uses the models outside its tests', 'trainer', `import {} from '@sinter/models';`, boundary],
  ['the logger uses the IR, late', 'logger', `export const late = () => import('@sinter/ir');`, boundary],
  ['a runtime uses the compiler', 'backend-cpu/runtime', `import {} from '@sinter/compiler';`, 'no-restricted-imports'],
  ['a runtime uses its package', 'backend-cpu/runtime', `import {} from '../index.ts';`, 'no-restricted-imports'],
  [
    'a runtime uses the compiler, late',
    'backend-cpu/runtime',
    `export const late = () => import('@sinter/compiler');`,
    'no-restricted-syntax',
  ],
] as const;

/** A package's tests may use the packages below it; its runtime may use the artifact and the IR. */
const right = [
  ['a test of the trainer uses the models', 'trainer', `import {} from '@sinter/models';`, '.test.ts'],
  ['a runtime uses the artifact', 'backend-cpu/runtime', `import {} from '@sinter/compiler/artifact';`, '.ts'],
  ['a runtime uses the IR', 'backend-cpu/runtime', `import {} from '@sinter/ir';`, '.ts'],
] as const;

function place(folder: string, name: string): string {
  const [owner, ...inner] = folder.split('/');
  return `${root}${['packages', owner, 'src', ...inner, name].join('/')}`;
}

const files = [
  ...wrong.map(([, folder, code], i) => ({ path: place(folder, `wrong-import-${i}.ts`), code })),
  ...right.map(([, folder, code, ending], i) => ({ path: place(folder, `right-import-${i}${ending}`), code })),
];

let status: number | null;
let complaints: ReadonlyMap<string, string>;

beforeAll(() => {
  const made = files.map(({ path }) => mkdirSync(dirname(path), { recursive: true }));
  try {
    for (const { path, code } of files) writeFileSync(path, `${code}\n`);
    const owners = [...new Set([...wrong, ...right].map(([, folder]) => `@sinter/${folder.split('/')[0]}`))];
    const lint = spawnSync('npx', ['nx', 'run-many', '-t', 'lint', '-p', ...owners, '--output-style=static'], {
      cwd: root,
      encoding: 'utf8',
    });
    status = lint.status;
    complaints = byFile(stripVTControlCharacters(lint.stdout + lint.stderr));
  } finally {
    for (const { path } of files) rmSync(path, { force: true });
    for (const folder of made) if (folder !== undefined) rmdirSync(folder);
  }
}, 120_000);

/** The linter prints a file's path on a line of its own and its complaints below. */
function byFile(output: string): Map<string, string> {
  const found = new Map<string, string>();
  let path = '';
  for (const line of output.split('\n')) {
    if (line.startsWith(`${root}packages/`)) path = line.trim();
    else found.set(path, `${found.get(path) ?? ''}${line}\n`);
  }
  return found;
}

test('lint as a whole fails', () => {
  expect(status).not.toBe(0);
});

test.each(wrong.map(([what, folder, , rule], i) => [what, place(folder, `wrong-import-${i}.ts`), rule] as const))(
  'lint fails when %s',
  (_what, path, rule) => {
    expect(complaints.get(path)).toContain(rule);
  },
);

test.each(right.map(([what, folder, , ending], i) => [what, place(folder, `right-import-${i}${ending}`)] as const))(
  'lint is content when %s',
  (_what, path) => {
    expect(complaints.get(path)).toBeUndefined();
  },
);
