/** What is taken from a cache is what would have been built, and only then. */
import * as ir from '@sinter/ir';
import type { Graph } from '@sinter/ir';
import { expect, test } from 'vitest';
import type { Backend } from '../backend.ts';
import { build, compile } from '../compile.ts';
import { interpreter } from '../loop/backend.ts';
import { feedForward, trainingStep } from '../models.test.kit.ts';
import type { Cache } from './cache.ts';
import { artifactKey } from './key.ts';

/** A cache in memory, and a backend that counts what it builds. */
function counted(): { cache: Cache; kept: Map<string, Uint8Array>; backend: Backend; built: () => number } {
  const kept = new Map<string, Uint8Array>();
  let built = 0;
  const own = interpreter();
  return {
    kept,
    cache: {
      read: async (key) => kept.get(key),
      write: async (key, bytes) => void kept.set(key, bytes),
    },
    backend: {
      ...own,
      version: '1',
      build: (plan) => {
        built++;
        return own.build(plan);
      },
    },
    built: () => built,
  };
}

test.each([
  ['a layer', feedForward],
  ['a training step', trainingStep],
])('%s: the second time it comes from the cache, and is the same', async (_, make) => {
  const { cache, backend, built } = counted();
  const first = await build(make(), backend, { cache });
  const second = await build(make(), backend, { cache });
  expect(built()).toBe(1);
  expect(second).toEqual(first);
  expect(await build(make(), backend)).toEqual(first);
});

test('constants come back as they were, and a program from the cache computes with them', async () => {
  const { cache, backend, built } = counted();
  const make = (): Graph =>
    ir.graph('constants', {
      outputs: {
        y: ir.add(ir.input('x', ['n', 2]), ir.constant(Float32Array.of(0.1, -0), [2])),
        z: ir.constant(Int32Array.of(1, 2, 3), [3], 'i32'),
      },
    });
  for (let time = 0; time < 2; time++) {
    const program = await compile(make(), backend, { cache });
    const { y, z } = await program.run({ x: { data: Float32Array.of(1, 2), shape: [1, 2] } });
    expect(y!.data).toEqual(Float32Array.of(1.1, 2));
    expect(z!.data).toEqual(Int32Array.of(1, 2, 3));
    program.close();
  }
  expect(built()).toBe(1);
});

test('a damaged entry is built again, and put right', async () => {
  const { cache, kept, backend, built } = counted();
  const first = await build(feedForward(), backend, { cache });
  const [[key, bytes]] = [...kept] as [[string, Uint8Array]];
  for (const damaged of [bytes.subarray(0, bytes.length - 1), bytes.with(200, bytes[200]! ^ 1), new Uint8Array(0)]) {
    kept.set(key, damaged);
    expect(await build(feedForward(), backend, { cache })).toEqual(first);
  }
  expect(built()).toBe(4);
  expect(kept.get(key)).toEqual(bytes);
});

test('what nobody can tell apart by its text is built every time', async () => {
  const { cache, kept, backend, built } = counted();
  const own = { ...ir.ops.get('neg')! };
  const ownOp = ir.graph('own op', { outputs: { y: ir.Tensor.make(own, [ir.input('x', [2])], {}) } });
  const { version: _, ...unversioned } = backend;
  await build(ownOp, backend, { cache });
  await build(feedForward(), backend, { cache, claims: () => false });
  await build(feedForward(), backend, { cache, trace: () => undefined });
  await build(feedForward(), unversioned, { cache });
  expect(built()).toBe(4);
  expect(kept.size).toBe(0);
});

test('everything that matters is in the key, and nothing else', async () => {
  const x = ir.input('x', [2, 'n']);
  const of = (y: ir.Tensor, name = 'g', output = 'y'): Graph => ir.graph(name, { outputs: { [output]: y } });
  const { target } = interpreter();
  const settings = { name: 'b', version: '1', target, plan: {} };
  const constants = (...data: number[]): Graph => of(ir.add(x, ir.constant(Float32Array.from(data), [2, 1])));
  const different: readonly (readonly [Graph, unknown])[] = [
    [of(ir.neg(x)), settings],
    [of(ir.exp(x)), settings],
    [of(ir.neg(ir.neg(x))), settings],
    [of(ir.neg(x), 'other name'), settings],
    [of(ir.neg(x), 'g', 'other output'), settings],
    [of(ir.neg(ir.input('other', [2, 'n']))), settings],
    [of(ir.neg(ir.input('x', [2, 'm']))), settings],
    [of(ir.neg(ir.input('x', [2, 'n'], 'f16'))), settings],
    [of(ir.sub(x, ir.exp(x))), settings],
    [of(ir.sub(ir.exp(x), x)), settings],
    [of(ir.mul(x, 0)), settings],
    [of(ir.mul(x, -0)), settings],
    [of(ir.mul(x, Infinity)), settings],
    [of(ir.mul(x, NaN)), settings],
    [of(ir.sum(x, { axes: 0 })), settings],
    [of(ir.sum(x, { axes: 1 })), settings],
    [constants(1, 2), settings],
    [constants(2, 1), settings],
    [constants(0, 1), settings],
    [constants(-0, 1), settings],
    [ir.graph('g', { outputs: { y: ir.neg(x) }, updates: { s: ir.neg(ir.state('s', [2])) } }), settings],
    [of(ir.neg(x)), { ...settings, version: '2' }],
    [of(ir.neg(x)), { ...settings, plan: { fuse: false } }],
    [of(ir.neg(x)), { ...settings, plan: { dims: { n: 4 } } }],
    [of(ir.neg(x)), { ...settings, plan: { dims: { n: { max: 4 } } } }],
    [of(ir.neg(x)), { ...settings, target: { ...target, registers: 99 } }],
    [of(ir.neg(x)), { ...settings, target: { ...target, features: new Set(['fma']) } }],
  ];
  const keys = await Promise.all(different.map(([g, s]) => artifactKey(g, s)));
  expect(keys).not.toContain(undefined);
  expect(new Set(keys).size).toBe(different.length);
  const again = {
    plan: {},
    target: { ...target, spells: new Set([...target.spells].reverse()) },
    version: '1',
    name: 'b',
  };
  expect(await artifactKey(of(ir.neg(ir.input('x', [2, 'n']))), again)).toBe(keys[0]);
});
