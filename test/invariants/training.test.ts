/**
 * Fine-tuning stays correct: fifty steps of a small BERT with dropout, clipping, a schedule and AdamW lose on every target what the
 * evaluator, which knows nothing of fusion, tiles and threads, says that they lose.
 */
import type { Backend } from '@sinter/compiler';
import { compile } from '@sinter/compiler';
import { dataFor, evaluate, type TensorData } from '@sinter/ir';
import { adamw, decays, schedule, trainStep } from '@sinter/trainer';
import { afterAll, describe, expect, test } from 'vitest';
import { batchOf, cpuTargets, smallBert, webgpuTarget } from './targets.test.kit.ts';

const steps = 50;
const [batch, seq] = [5, 7];
/** Of every loss, relative. Single precision rounds at 6e-8; in fifty steps the order of sums adds up to 1.4e-6. */
const tolerance = 1e-5;

const model = smallBert();
const step = trainStep(model, {
  optimizer: (name) => adamw({ weight_decay: decays(name) ? 0.01 : 0 }),
  schedule: schedule('linear', { warmup: 5, total: steps }),
  learning_rate: 4e-3,
  max_grad_norm: 1,
});
const batches = Array.from({ length: steps }, (_, i) => batchOf(batch, seq, model.config.vocab_size, i % 5));
const initial = Object.fromEntries(
  Object.entries(step.state).map(([name, { shape, dtype }]): [string, TensorData] => {
    const fixed = shape as readonly number[];
    if (name === 'rng') return [name, { shape: [2], data: Uint32Array.of(42, 0) }];
    const zeros = { shape: fixed, data: dataFor(dtype, fixed.reduce((a, b) => a * b, 1)) }; // prettier-ignore
    return [name, model.parameters.get(name) ?? zeros];
  }),
);

/** What the evaluator loses, computed when first asked for. */
let checked: number[] | undefined;
function expected(): number[] {
  if (checked) return checked;
  let state = initial;
  return (checked = batches.map((inputs) => {
    const { outputs, updates } = evaluate(step, inputs, state);
    state = { ...state, ...updates };
    return outputs['loss']!.data[0]!;
  }));
}

async function lossesOn(backend: Backend): Promise<number[]> {
  await using program = await compile(step, backend);
  for (const [name, { data }] of Object.entries(initial)) await program.state.write(name, data);
  const losses: number[] = [];
  for (const inputs of batches) losses.push((await program.run(inputs))['loss']!.data[0]!);
  return losses;
}

function agree(found: readonly number[]): void {
  expect(found).toHaveLength(steps);
  const worst = Math.max(...found.map((loss, i) => Math.abs(loss / expected()[i]! - 1)));
  expect(worst).toBeLessThan(tolerance);
}

test('it is a run worth comparing: the model learns, and dropout is on', () => {
  const losses = expected();
  const mean = (some: readonly number[]): number => some.reduce((a, b) => a + b, 0) / some.length;
  expect(mean(losses.slice(-10))).toBeLessThan(0.7 * mean(losses.slice(0, 10)));
  expect(step.state).toHaveProperty('rng');
  const other = evaluate(step, batches[0]!, { ...initial, rng: { shape: [2], data: Uint32Array.of(43, 0) } });
  expect(Math.abs(other.outputs['loss']!.data[0]! / losses[0]! - 1)).toBeGreaterThan(1e-3);
}, 120_000);

describe.each(cpuTargets())('$name', ({ backend }) => {
  test.each([1, 2])(
    'fifty steps on %i threads lose what the evaluator loses, within 1e-5',
    async (threads) => {
      agree(await lossesOn(backend(threads)));
    },
    120_000,
  );
});

const gpu = await webgpuTarget();
afterAll(() => gpu?.close());
describe.skipIf(!gpu)('WebGPU', () => {
  test(
    'fifty steps lose what the evaluator loses, within 1e-5',
    async () => agree(await lossesOn(gpu!.backend)),
    300_000,
  );
});
