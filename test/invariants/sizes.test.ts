/**
 * One program serves all sizes: ten different batches and lengths in a row build nothing, load nothing and compile no WebAssembly and no
 * C, and each gives what the evaluator gives.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import type { Backend } from '@sinter/compiler';
import { evaluate } from '@sinter/ir';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { batchOf, cpuTargets, smallBert } from './targets.test.kit.ts';

const sizes = [[1, 5], [2, 9], [3, 1], [1, 16], [7, 3], [4, 4], [2, 17], [5, 6], [1, 33], [8, 2]] as const; // prettier-ignore

/** As much of it as Node's types leave out. */
const { WebAssembly } = globalThis as unknown as { WebAssembly: { compile(): unknown; Module: new () => object } };

/** Where native code is kept during these tests, so that what is compiled can be counted. */
const cache = await mkdtemp(join(tmpdir(), 'sinter-sizes-'));
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  await rm(cache, { recursive: true, force: true });
});

/** The backend, counting what it builds and loads. */
function counted(backend: Backend): { readonly backend: Backend; readonly count: { builds: number; loads: number } } {
  const count = { builds: 0, loads: 0 };
  return {
    count,
    backend: {
      ...backend,
      build: (plan) => (count.builds++, backend.build(plan)),
      load: (artifact, options) => (count.loads++, backend.load(artifact, options)),
    },
  };
}

describe.each(cpuTargets())('$name', ({ name, backend }) => {
  test('ten different batches and lengths compile nothing new, and each is right', async () => {
    vi.stubEnv('XDG_CACHE_HOME', cache);
    const asked = [vi.spyOn(WebAssembly, 'compile'), vi.spyOn(WebAssembly, 'Module')];
    const compiled = (): number =>
      name === 'wasm'
        ? asked.reduce((sum, spy) => sum + spy.mock.calls.length, 0)
        : readdirSync(cache, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.so')).length;

    const model = smallBert();
    const counting = counted(backend(2));
    await using run = await model.compile(counting.backend, { outputs: ['logits'] });
    const graph = model.graph({ outputs: ['logits'] });
    const weights = Object.fromEntries(model.parameters);
    const before = { ...counting.count, compiled: compiled() };
    expect(before.builds).toBe(1);
    expect(before.compiled).toBeGreaterThan(0);

    for (const [batch, seq] of sizes) {
      const { labels: _, ...inputs } = batchOf(batch, seq, model.config.vocab_size, seq);
      const { logits } = await run(inputs);
      const expected = evaluate(graph, inputs, weights).outputs['logits']!;
      expect(logits!.shape).toEqual([batch, 2]);
      logits!.data.forEach((value, i) => expect(Math.abs(value - expected.data[i]!)).toBeLessThan(1e-5));
    }
    expect({ ...counting.count, compiled: compiled() }).toEqual(before);
  });
});
