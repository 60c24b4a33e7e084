/** Arrays that a caller hands in for outputs, on both targets. */
import { compile } from '@sinter/compiler';
import { add, graph, input, mul, ShapeError, state } from '@sinter/ir';
import { describe, expect, test } from 'vitest';
import { cpu } from '../src/index.ts';
import { nativeRuntime } from '../src/runtime/native/index.ts';

const hasNative = (() => {
  try {
    return nativeRuntime({ threads: 1 }).kind === 'native';
  } catch (error) {
    console.log(`native code is not tested: ${(error as Error).message}`);
    return false;
  }
})();

describe.each(hasNative ? (['wasm', 'native'] as const) : (['wasm'] as const))('%s', (target) => {
  const backend = cpu({ target, threads: 2 });
  const x = input('x', ['n']);
  const doubled = mul(x, 2);
  const given = (n: number) => ({ x: { shape: [n], data: Float32Array.from({ length: n }, (_, i) => i) } });

  test('an output is written into the array that is handed in, others get new ones', async () => {
    await using program = await compile(graph('g', { outputs: { y: doubled, z: add(doubled, 1) } }), backend);
    for (const n of [5, 100, 4099]) {
      const mine = new Float32Array(n);
      const { y, z } = await program.run(given(n), { outputs: { y: mine } });
      expect(y).toEqual({ shape: [n], data: mine });
      expect(y!.data).toBe(mine);
      expect([...mine]).toEqual(Array.from({ length: n }, (_, i) => 2 * i));
      expect([...z!.data]).toEqual(Array.from({ length: n }, (_, i) => 2 * i + 1));
    }
  });

  test('a piece of a larger array, at any address', async () => {
    await using program = await compile(graph('g', { outputs: { y: doubled } }), backend);
    const large = new Float32Array(103).fill(-1);
    const inside = new Float32Array(large.buffer, 4, 101);
    const from = new Float32Array(new ArrayBuffer(4 * 102), 4, 101).fill(3);
    await program.run({ x: { shape: [101], data: from } }, { outputs: { y: inside } });
    expect([...large]).toEqual([-1, ...Array<number>(101).fill(6), -1]);
  });

  test('results are right where the array is that of an input, and where outputs are one tensor', async () => {
    await using program = await compile(
      graph('g', { outputs: { y: add(doubled, input('w', ['n'])), same: doubled, again: doubled } }),
      backend,
    );
    const data = Float32Array.of(1, 2, 3, 4, 5);
    const inputs = { x: { shape: [5], data }, w: { shape: [5], data: Float32Array.of(1, 1, 1, 1, 1) } };
    const again = new Float32Array(5);
    const results = await program.run(inputs, { outputs: { y: data, again } });
    expect(results['y']!.data).toBe(data);
    expect([...data]).toEqual([3, 5, 7, 9, 11]);
    expect([...results['same']!.data]).toEqual([2, 4, 6, 8, 10]);
    expect([...again]).toEqual([2, 4, 6, 8, 10]);
  });

  test('an output that is the new value of a state leaves the state where it is', async () => {
    const s = state('s', [3]);
    const next = add(s, 1);
    await using program = await compile(graph('g', { outputs: { next }, updates: { s: next } }), backend);
    const mine = new Float32Array(3);
    await program.run({}, { outputs: { next: mine } });
    await program.run({}, { outputs: { next: mine } });
    expect([...mine]).toEqual([2, 2, 2]);
    mine.fill(9);
    expect([...(await program.state.read('s'))]).toEqual([2, 2, 2]);
  });

  test('an array that does not fit is a ShapeError', async () => {
    await using program = await compile(graph('g', { outputs: { y: doubled } }), backend);
    await expect(program.run(given(4), { outputs: { y: new Float32Array(5) } })).rejects.toThrow(
      /output 'y' is f32\[4\]: it has 4 elements, the data 5/,
    );
    await expect(program.run(given(4), { outputs: { y: new Int32Array(4) } })).rejects.toThrow(ShapeError);
  });
});
