import { compile } from '@sinter/compiler';
import type { Tensor, TensorData } from '@sinter/ir';
import { contract, dtypeBytes, evaluate, gather, graph, input, linear, matmul } from '@sinter/ir';
import { describe, expect, test } from 'vitest';
import { cpus } from '../cpus.test.kit.ts';
import { initialise, normal } from '../init.ts';
import { packed, partsOf, unpacked } from './packing.ts';
import type { Packing } from './packing.ts';

const weights = (shape: readonly number[], seed = 0) => initialise(normal(1), 'w', shape, seed);
const stateOf = (packing: Packing, data: Float32Array, shape: readonly number[]) =>
  Object.fromEntries(packed(packing, 'w', data, shape)) as unknown as Record<string, TensorData>;

/** What a packed parameter stands for, by the reference that defines graphs. */
function back(packing: Packing, data: Float32Array, shape: readonly number[]): Float32Array {
  const g = graph('back', { outputs: { w: unpacked(packing, 'w', shape) } });
  return evaluate(g, {}, stateOf(packing, data, shape)).outputs['w']!.data as Float32Array;
}

/** The root of the mean square error by that of the numbers. */
function error(data: Float32Array, got: Float32Array): number {
  const square = (x: Float32Array) => x.reduce((sum, value) => sum + value * value, 0);
  return Math.sqrt(square(data.map((value, i) => value - got[i]!)) / square(data));
}

const packings: readonly (readonly [string, Packing, number, number])[] = [
  // Normal numbers: what is lost, and bits for each of them (with scales).
  ['float16', { kind: 'float16' }, 0.0004, 16],
  ['bfloat16', { kind: 'bfloat16' }, 0.003, 16],
  ['int8, rows', { kind: 'int8', inner: 1 }, 0.009, 8.3],
  ['int8, columns', { kind: 'int8', inner: 0 }, 0.009, 8.7],
  ['int4, rows', { kind: 'int4', inner: 1, group_size: 32 }, 0.085, 4.5],
  ['int4, columns', { kind: 'int4', inner: 0, group_size: 16 }, 0.075, 5],
];

describe.each(packings)('%s', (_, packing, most, bits) => {
  const shape = [64, 128];
  const data = weights(shape);

  test('stands for nearly the same numbers, in as many bits', () => {
    const got = back(packing, data, shape);
    expect(error(data, got)).toBeLessThan(most);
    expect(error(data, got)).toBeGreaterThan(most / 5);
    // Numbers that were packed once are packed without loss.
    expect(error(got, back(packing, got, shape))).toBeLessThan(most / 3);
    const parts = Object.values(partsOf(packing, 'w', shape));
    const bytes = parts.reduce(
      (sum, { dtype, shape: [rows = 1, columns = 1] }) => sum + dtypeBytes[dtype] * rows * columns,
      0,
    );
    expect((8 * bytes) / data.length).toBeLessThanOrEqual(bits);
  });

  test('zeros, a lone number, and large ones', () => {
    const odd = new Float32Array(data.length);
    odd[5] = 3;
    odd[700] = -1e4;
    const got = back(packing, odd, shape);
    expect(got.every(Number.isFinite)).toBe(true);
    expect(got.findIndex((value) => value !== 0)).toBe(5);
    expect(got[5]! / 3).toBeCloseTo(1, 2);
    expect(got[700]! / -1e4).toBeCloseTo(1, 2);
  });

  test.each(cpus.map((backend) => [backend.version, backend] as const))(
    'products and rows agree with the reference, %s',
    async (_, backend) => {
      const w = unpacked(packing, 'w', shape);
      const row = (name: string, size: number) => input(name, ['n', size]) as Tensor;
      const g = graph('products', {
        outputs: {
          linear: linear(row('x', 128), w),
          matmul: matmul(row('y', 64), w as Tensor) as Tensor,
          rows: gather(w, input('ids', ['m'], 'i32')),
          both: contract('nk,mk->nm', row('x', 128), gather(w, input('ids', ['m'], 'i32'))),
        },
      });
      const inputs = (n: number) => ({
        x: { data: weights([n, 128], 1), shape: [n, 128] },
        y: { data: weights([n, 64], 2), shape: [n, 64] },
        ids: { data: Int32Array.of(3, 63, 0), shape: [3] },
      });
      const state = stateOf(packing, data, shape);
      for (const max of [1, 40]) {
        await using program = await compile(g, backend, {
          dims: { n: max === 1 ? 1 : { max }, m: { max: 8 } },
        });
        for (const name of Object.keys(program.state.ports)) await program.state.write(name, state[name]!.data);
        const n = max === 40 ? 37 : max;
        const got = await program.run(inputs(n));
        const wanted = evaluate(g, inputs(n), state).outputs;
        for (const [name, tensor] of Object.entries(wanted))
          expect(error(tensor.data as Float32Array, got[name]!.data as Float32Array), `${name} ${max}`).toBeLessThan(
            1e-5,
          );
      }
    },
  );
});
