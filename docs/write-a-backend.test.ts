/** The guide "Write a backend" builds the example: its blocks are the example's files, and the others run. */
import { execFile } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const file = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));
const guide = await readFile(file('docs/write-a-backend.md'), 'utf8');
const blocks = (language: string): string[] =>
  [...guide.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map((m) => m[1]!);

test('the JavaScript blocks, one after the other, are the backend of the example', async () => {
  expect(blocks('js').join('\n')).toBe(await readFile(file('examples/custom-backend/backend.js'), 'utf8'));
});

test('the example has less than 300 lines', async () => {
  const text = await readFile(file('examples/custom-backend/backend.js'), 'utf8');
  expect(text.trimEnd().split('\n').length).toBeLessThan(300);
});

test('its test is the one of the guide', async () => {
  expect(blocks('ts')).toContain(await readFile(file('examples/custom-backend/conformance.test.ts'), 'utf8'));
});

test('what it shows of the BLAS backend stands there', async () => {
  const block = blocks('ts').find((text) => text.includes('claims:'))!;
  expect(await readFile(file('examples/custom-backend/blas.ts'), 'utf8')).toContain(block.trimEnd());
});

test('the program of the guide runs', async () => {
  const program = blocks('ts').find((block) => block.includes('compile('))!;
  const path = file('examples/custom-backend/guide.tmp.ts');
  await writeFile(path, program);
  try {
    const node = ['--conditions=@sinter/source', '--import', import.meta.resolve('tsx'), path];
    const { stdout } = await promisify(execFile)(process.execPath, node);
    expect(stdout.match(/0\.25/g)).toHaveLength(8);
  } finally {
    await rm(path, { force: true });
  }
});
