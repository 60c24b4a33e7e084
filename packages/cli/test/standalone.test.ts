/** A standalone module where nothing else is: it runs in plain Node, and its types are what it does. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { smallBert } from './bert.ts';
import { node, sinter } from './command.ts';

let root: string;
let out: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'standalone-'));
  out = join(root, 'out');
  const { folder } = await smallBert(root);
  const sizes = ['--dims', 'batch=1..8,seq=8'];
  const { code, err } = await sinter(
    'compile',
    folder,
    '--entry',
    'forward,train_step',
    ...sizes,
    '--standalone',
    '-o',
    out,
  );
  expect({ code, err }).toEqual({ code: 0, err: '' });
}, 120_000);
afterAll(() => rm(root, { recursive: true, force: true }));

const program = `import { load } from './bert.mjs';

const stages = new Set<string>();
const model = await load({ selfCheck: true, onProgress: ({ stage }) => stages.add(stage), threads: 1 });
const ids = { shape: [2, 8], data: Int32Array.of(2, 5, 6, 8, 16, 3, 0, 0, 2, 11, 12, 13, 14, 3, 0, 0) } as const;
const mask = { shape: [2, 8], data: ids.data.map((id) => (id === 0 ? 0 : 1)) } as const;
const batch = { input_ids: ids, attention_mask: mask, token_type_ids: { shape: [2, 8], data: new Int32Array(16) } } as const;
const { logits } = await model.forward(batch);
const [rows, labels]: readonly [number, 2] = logits.shape;
const first = { shape: [rows], data: Int32Array.of(1, 0) } as const;
const losses: number[] = [];
for (let i = 0; i < 20; i++) {
  const { loss } = await model.train_step({
    ...batch,
    labels: first,
    learning_rate: { shape: [], data: Float32Array.of(0.01) },
    seed: { shape: [], data: Uint32Array.of(1) },
  });
  losses.push(loss.data[0]!);
}
const { hidden_size } = JSON.parse(new TextDecoder().decode(await model.file('config.json'))) as { hidden_size: number };
const steps = (await model.state.read('optimizer.step'))[0];
model.close();
console.log(JSON.stringify({ rows, labels, losses, hidden_size, steps, stages: [...stages] }));
`;

/** Each of these must not type-check. */
const wrong = `import { load } from './bert.mjs';
const model = await load();
const ok = { shape: [1, 8], data: new Int32Array(8) } as const;
// @ts-expect-error: seq is fixed
await model.forward({ input_ids: { shape: [1, 9], data: new Int32Array(9) }, attention_mask: ok, token_type_ids: ok });
// @ts-expect-error: another dtype
await model.forward({ input_ids: { shape: [1, 8], data: new Float32Array(8) }, attention_mask: ok, token_type_ids: ok });
// @ts-expect-error: an input is missing
await model.forward({ input_ids: ok });
// @ts-expect-error: an output that it does not have
(await model.forward({ input_ids: ok, attention_mask: ok, token_type_ids: ok })).loss;
// @ts-expect-error: an entry point that it does not have
model.evaluate;
// @ts-expect-error: a file that it does not have
await model.file('vocab.txt');
`;

test('the folder has one module, its types, and the file', async () => {
  expect((await readdir(out)).sort()).toEqual(['bert.d.mts', 'bert.mjs', 'bert.sinter']);
  const code = await readFile(join(out, 'bert.mjs'), 'utf8');
  expect(code).not.toMatch(/\bimport\s*[({'"*]|\brequire\(|from\s*['"]/);
});

test('it is well typed, with the types of a browser or of Node, and runs in an empty folder', async () => {
  await writeFile(join(out, 'program.mts'), program);
  await writeFile(join(out, 'wrong.mts'), wrong);
  const compilerOptions = {
    target: 'ES2022',
    module: 'NodeNext',
    strict: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    types: [],
  };
  const files = ['program.mts', 'wrong.mts'];
  const browser = { ...compilerOptions, lib: ['ES2022', 'DOM'] };
  await writeFile(join(out, 'tsconfig.json'), JSON.stringify({ compilerOptions: browser, files }));
  const tsc = fileURLToPath(import.meta.resolve('typescript/bin/tsc'));
  expect((await node(out, tsc)).out).toBe('');

  const { code, out: printed, err } = await node(out, 'program.mjs');
  expect({ code, err }).toEqual({ code: 0, err: '' });
  const said = JSON.parse(printed) as { losses: number[] };
  expect(said).toMatchObject({ rows: 2, labels: 2, hidden_size: 32, steps: 20, stages: ['read', 'weights', 'check'] });
  expect(said.losses.at(-1)).toBeLessThan(said.losses[0]! / 2);
});

test('a damaged file is refused, wherever it comes from', async () => {
  const bytes = await readFile(join(out, 'bert.sinter'));
  bytes[bytes.length - 5000]! ^= 1;
  await writeFile(join(root, 'broken.sinter'), bytes);
  await writeFile(
    join(out, 'broken.mjs'),
    `import { readFile } from 'node:fs/promises';
import { load } from './bert.mjs';
for (const source of ['../broken.sinter', await readFile(new URL('../broken.sinter', import.meta.url)), './none.sinter'])
  await load({ source }).catch((error) => console.log(error.name, error.fault));
`,
  );
  expect(await node(out, 'broken.mjs')).toEqual({
    code: 0,
    out: 'ArtifactError damaged\nArtifactError damaged\nArtifactError source\n',
    err: '',
  });
});
