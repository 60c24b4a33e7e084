/** What a run writes into a page, what it says of the aims, and what binds a work. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { boundOf, measureLimits, type Limits } from '../limits/limits.ts';
import { matmul, softmax } from '../works/ops.ts';
import { verdictsOn } from './aims.ts';
import { machine, type Row } from './report.ts';
import { writeSection, type Results } from './tables.ts';

const limits: Limits = {
  threads: 1,
  vector_bits: 512,
  fma_128_gflops: 50,
  fma_gflops: 200,
  read_gbs: 40,
  copy_gbs: 20,
  triad_gbs: 30,
  read_16mib_gbs: 80,
  copy_16mib_gbs: 40,
};

function row(engine: string, median_ms: number, more: Partial<Row> = {}): Row {
  return {
    work: 'matmul 512³',
    engine,
    version: `${engine} 1`,
    threads: 1,
    adapter: null,
    gpu: null,
    busy_cores: 1,
    idle_cores: 0,
    other_cores: 0,
    runs: 3,
    median_ms,
    min_ms: median_ms,
    cpu_ms: median_ms,
    ratio: null,
    bound: 'arithmetic',
    share: 0.5,
    gflops: 1,
    tokens_per_s: null,
    peak_rss_bytes: 2 ** 20,
    difference: 0,
    reference: 'onnxruntime-node',
    notes: [],
    ...more,
  };
}

const results: Results = {
  machine: machine({ limits: [limits], limits_by: 'cc' }),
  rows: [
    row('sinter', 5, { share: 0.95 }),
    row('sinter', 3, { threads: 2 }),
    row('tfjs-wasm', 9, { share: 0.4 }),
    row('onnxruntime-web', 12),
  ],
  starts: [],
  compiling: [{ work: 'step', target: 'wasm', cache: 'cold', graph_ms: 100, build_ms: 1300, load_ms: 200 }],
  shipped: [],
};

test('a page keeps what is written around the figures, and has no old ones', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sinter-page-'));
  try {
    const path = join(folder, 'page.md');
    const [begin, end] = ['<!-- figures of the processor: npm run bench -->', '<!-- end of the figures -->'];
    writeFileSync(path, `before\n${begin}\nold\n${end}\nafter\n`);
    writeSection(path, results);
    const page = readFileSync(path, 'utf8');
    expect(page.startsWith(`before\n${begin}\n`)).toBe(true);
    expect(page.endsWith(`\n${end}\nafter\n`)).toBe(true);
    expect(page).not.toContain('old');
    expect(page).toContain('| matmul 512³ | **5.00** | 1 | 95 % arithmetic | 12.0 (2.40×) | 9.00 (1.80×) |');
    writeSection(path, results);
    expect(readFileSync(path, 'utf8')).toBe(page);
    writeFileSync(path, 'nothing marked');
    expect(() => writeSection(path, results)).toThrow('has no section');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('an aim is met by its worst figure', () => {
  const said = new Map(verdictsOn(results).map(({ aim, reached, met }) => [aim, [reached, met]]));
  expect(said.get('WebAssembly: products from 256³ up, share of the 128-bit limit')).toEqual(['95 %', true]);
  expect(said.get('the same against the best WebAssembly library')).toEqual([
    '1.80× (matmul 512³, 1 thread: tfjs-wasm) to 2.40×',
    false,
  ]);
  expect(said.get('Two threads against one, products: WebAssembly')).toEqual(['1.67×', false]);
  expect(said.get('Compiling the fine-tuning step for WebAssembly, nothing kept')).toEqual(['1600 ms', false]);
});

test('what binds: arithmetic with the vectors that an engine has, or memory', () => {
  expect(boundOf(matmul(512), limits, false)).toEqual({ by: 'arithmetic', ms: expect.closeTo(2 * 512 ** 3 / 50e6) }); // prettier-ignore
  expect(boundOf(matmul(512), limits, true)).toEqual({ by: 'arithmetic', ms: expect.closeTo(2 * 512 ** 3 / 200e6) }); // prettier-ignore
  const bytes = 2 * 4 * 4096 * 1024; // just what small arrays are
  expect(boundOf(softmax(4096, 1024), limits, true)).toEqual({ by: 'memory', ms: expect.closeTo(bytes / 40e6) });
  expect(boundOf(softmax(8192, 1024), limits, true)).toEqual({ by: 'memory', ms: expect.closeTo((2 * bytes) / 20e6) });
  expect(boundOf({ ...matmul(512), moves: undefined } as never, limits, true)).toBeUndefined();
});

test('the machine’s limits are measured where there is a C compiler', () => {
  const { limits: found, limits_by } = measureLimits([1]);
  if (found.length === 0) return console.warn(`skipped: ${limits_by}`);
  const [one] = found;
  expect(one!.fma_gflops).toBeGreaterThanOrEqual(0.8 * one!.fma_128_gflops);
  for (const figure of Object.values(one!)) expect(figure).toBeGreaterThan(0);
}, 60_000);
