/** The suite must fail where a backend is wrong: each fault is put into the plan or the results of the interpreter. */
import { type Backend, interpreter, type Plan, type Program } from '@sinter/compiler';
import { constantExpr, e, type TensorData } from '@sinter/ir';
import { expect, test } from 'vitest';
import { plainRunner, type PlainRunner, testBackend } from '../src/index.ts';

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

/** Groups that take long before they say what others say too. */
const othersDo = Object.fromEntries(
  ['values and gradients from torch', 'gradients against finite differences', 'contractions'].map((g) => [g, 'slow']),
);

/** Declares the suite for a backend, and gives what runs it. */
function suite(make: () => Backend, runs: number): PlainRunner {
  const runner = plainRunner();
  testBackend('one', make, { ...runner, runs, print: () => undefined, skip: othersDo });
  return runner;
}

test.each(Object.entries(faults))('a backend that %s', async (_, make) => {
  expect(await suite(make, 50).run({ bail: true })).toHaveLength(1);
});

test('the interpreter as it is passes, so that the faults are to blame', async () => {
  const good = faulty(same, (p) => withRun(p, (o) => changed(o, () => undefined)));
  const few = plainRunner();
  let at = 0;
  testBackend('a good one', () => good, {
    describe: few.describe,
    test: (name, body) => (at++ % 7 === 0 ? few.test(name, body) : undefined),
    runs: 10,
    skip: { limits: 'slow' },
  });
  expect(await few.run()).toEqual([]);
});
