/** The suite must fail where a backend is wrong: each fault is put into the plan or the results of the interpreter. */
import { type Backend, interpreter, type Plan, type Program } from '@sinter/compiler';
import { constantExpr, e, type TensorData } from '@sinter/ir';
import { expect, test } from 'vitest';
import { testBackend } from '../src/index.ts';

type Outputs = Record<string, TensorData>;
const changed = (outputs: Outputs, change: (data: Float32Array) => void): Outputs => {
  for (const { data } of Object.values(outputs)) if (data instanceof Float32Array) change(data);
  return outputs;
};

/** A backend that is the interpreter but for its plans and its programs. */
function faulty(plan: (p: Plan) => Plan, program: (p: Program) => Program = (p) => p): Backend {
  const good = interpreter({}, { arena: true });
  return {
    ...good,
    build: (p) => good.build(plan(p)),
    load: async (artifact, options) => program(await good.load(artifact, options)),
  };
}
const withRun = (p: Program, change: (outputs: Outputs) => Outputs): Program => ({
  ...p,
  run: async (inputs) => change(await p.run(inputs)),
});
const same = (p: Plan): Plan => p;

const faults: Readonly<Record<string, () => Backend>> = {
  'is off by 1e-4': () =>
    faulty(same, (p) => withRun(p, (o) => changed(o, (d) => d.forEach((v, i) => (d[i] = v * 1.0001))))),
  'forgets the last of 17 elements': () =>
    faulty(same, (p) => withRun(p, (o) => changed(o, (d) => d.length === 17 && d.fill(0, 16)))),
  'takes NaN for zero': () =>
    faulty(same, (p) => withRun(p, (o) => changed(o, (d) => d.forEach((v, i) => (d[i] = v || 0))))),
  'frees scratch memory a step early': () =>
    faulty((p) => ({
      ...p,
      buffers: p.buffers.map((b) =>
        b.role === 'scratch' ? { ...b, live: [b.live[0], Math.max(b.live[0], b.live[1] - 1)] } : b,
      ),
    })),
  'runs steps backwards': () => faulty((p) => ({ ...p, steps: p.steps.toReversed() })),
  'shares no state': () => ({ ...interpreter(), load: (artifact) => interpreter().load(artifact) }),
  'never closes': () =>
    faulty(same, (p) => ({ ...p, close: () => undefined, [Symbol.asyncDispose]: () => Promise.resolve() })),
  'counts no memory': () => faulty(same, (p) => ({ ...p, memory: () => ({ state: 0, arena: 0 }) })),
  'takes a scratch buffer for one shorter': () =>
    faulty((p) => ({
      ...p,
      buffers: p.buffers.map((b) => (b.role === 'scratch' ? { ...b, length: e.sub(b.length, constantExpr(1)) } : b)),
    })),
};

test.each(Object.entries(faults))('a backend that %s', async (_, make) => {
  const tests: { readonly name: string; readonly body: () => Promise<void> }[] = [];
  testBackend('a faulty one', make, {
    describe: (_name, body) => body(),
    test: (name, body) => tests.push({ name, body }),
    runs: 50,
  });
  let failed = 0;
  for (const { body } of tests) {
    await body().catch(() => failed++);
    if (failed > 0) break;
  }
  expect(failed).toBeGreaterThan(0);
});

test('the interpreter as it is passes, so that the faults are to blame', async () => {
  const tests: (() => Promise<void>)[] = [];
  testBackend('a good one', () => faulty(same, (p) => withRun(p, (o) => changed(o, () => undefined))), {
    describe: (_name, body) => body(),
    test: (_name, body) => tests.push(body),
    runs: 10,
  });
  for (const body of tests.filter((_, i) => i % 7 === 0)) await body();
});
