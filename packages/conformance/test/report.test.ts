/** What the suite tells of itself: counts, refusals, reasons for what was left out. */
import { type Backend, BackendError, interpreter } from '@sinter/compiler';
import { expect, test } from 'vitest';
import { type ConformanceReport, plainRunner, testBackend } from '../src/index.ts';
import type { TestBackendOptions } from '../src/index.ts';

/** All that takes long. */
const brief = Object.fromEntries(
  [
    'values and gradients from torch',
    'gradients against finite differences',
    'awkward shapes',
    'contractions',
    'few rows, as in token-by-token generation',
    'addressing by data',
    'integers and flags',
    'random numbers',
    'blockwise attention',
    'run-time sizes',
    'programs',
    'limits',
    'random graphs',
  ].map((group) => [group, 'takes long']),
);

/** The interpreter, except that it takes no 16-bit floats and gets one op wrong. */
function flawed(): Backend {
  const good = interpreter();
  return {
    ...good,
    async build(plan) {
      if (plan.buffers.some((b) => b.dtype === 'f16' || b.dtype === 'bf16'))
        throw new BackendError('no 16-bit floats here');
      return good.build(
        plan.name === 'sqrt of f32' ? { ...plan, kernels: plan.kernels.map((k) => ({ ...k, body: [] })) } : plan,
      );
    },
  };
}

async function run(
  options: Omit<TestBackendOptions, 'describe' | 'test'>,
): Promise<{ failed: string[]; report: ConformanceReport | undefined; table: string }> {
  const runner = plainRunner();
  let report: ConformanceReport | undefined;
  let table = '';
  testBackend('flawed', flawed, {
    ...runner,
    report: (r) => void (report = r),
    print: (t) => (table += t),
    ...options,
  });
  return { failed: (await runner.run()).map((f) => f.test), report, table };
}

test('a report says op by op what passed, failed and was refused, and what was left out and why', async () => {
  const { failed, report, table } = await run({ skip: { ...brief, 'state > softmax of itself': 'an example' } });
  expect(failed).toEqual(['conformance of flawed > every op in every dtype > sqrt']);
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  const cell = (op: string, dtype: string): string | undefined =>
    report?.ops.find((o) => o.op === op && o.dtype === dtype)?.outcome;
  expect(cell('sqrt', 'f32')).toBe('failed');
  expect(cell('exp', 'f32')).toBe('passed');
  expect(cell('exp', 'f16')).toBe('refused');
  expect(cell('exp', 'i32')).toBeUndefined();
  const group = (name: string) => report?.groups.find((g) => g.name === name);
  expect(group('state')).toMatchObject({ failed: [], skipped: [{ test: 'softmax of itself', why: 'an example' }] });
  expect(group('limits')).toMatchObject({ passed: 0, failed: [] });
  expect(group('every op in every dtype')?.failed).toMatchObject([{ test: 'sqrt' }]);
  expect(table).toMatch(/every op in every dtype +5\d passed, 1 failed/);
  expect(table).toMatch(/skipped: state > softmax of itself: an example/);
  expect(table).toMatch(/skipped: limits \(\d+ tests\): takes long/);
  expect(table).toMatch(/refused: f16 by \d+ of \d+ ops: no 16-bit floats here/);
});

test('a group that does not exist cannot be left out', async () => {
  const { failed } = await run({ skip: { ...brief, state: 'takes long', 'no such group': 'a slip' } });
  expect(failed.at(-1)).toMatch(/every op in every dtype/);
  expect(failed).toHaveLength(2);
});
