import type { Kernel, LoopExpr } from '@sinter/compiler';
import { load, loop, runKernel, store } from '@sinter/compiler';
import { constantExpr as c, e } from '@sinter/ir';
import { describe, expect, test } from 'vitest';
import { kernelOver } from '../wasm/kernel.test.kit.ts';
import { compileKernels, nativeCompiler, testMachines } from './kernel.test.kit.ts';
import type { JoiningOp } from './tree.ts';
import { laneTree } from './tree.ts';

const compiler = nativeCompiler();
const machines = testMachines(compiler);
const ops: readonly JoiningOp[] = ['add', 'mul', 'min', 'max'];

/** Element `l` with element `l + count/2`, until one is left. */
function tree(op: JoiningOp, count: number): LoopExpr {
  let values: LoopExpr[] = Array.from({ length: count }, (_, l) => load('held', c(l), 'f32'));
  while (values.length > 1)
    values = values.slice(0, values.length / 2).map((a, l) => e[op](a, values[l + values.length / 2]!));
  return values[0]!;
}

function joining(op: JoiningOp, count: number): Kernel {
  const body = [
    { k: 'alloc', name: 'held', dtype: 'f32', length: count, memory: 'register' },
    loop('vector', 'i', c(count), (i) => [store('held', i, load('x', i, 'f32'))]),
    store('y', c(0), tree(op, count)),
  ] as const;
  return { ...kernelOver({ x: 'f32', y: 'f32' }, [], body), name: `${op}${count}` };
}

test('a tree is known by its shape, and nothing else is one', () => {
  expect(laneTree(tree('add', 16))).toEqual({ op: 'add', from: 'held', count: 16 });
  const at = (i: number): LoopExpr => load('held', c(i), 'f32');
  expect(laneTree(e.add(e.add(at(0), at(1)), e.add(at(2), at(3))))).toBeUndefined();
  expect(laneTree(e.add(e.add(at(0), at(2)), e.mul(at(1), at(3))))).toBeUndefined();
  expect(laneTree(e.add(at(0), load('other', c(1), 'f32')))).toBeUndefined();
  expect(laneTree(e.add(e.add(at(0), at(2)), at(1)))).toBeUndefined();
});

describe.skipIf(!compiler).each([16, 8, 4])('%i lanes', (lanes) => {
  test.each(machines)(
    'all lanes joined, with the same bits as the interpreter: $command $machineFlags',
    async (machine) => {
      const kernels = ops.flatMap((op) => [2, 4, 8, 16, 32, 64].map((count) => joining(op, count)));
      const compiled = await compileKernels(kernels, [], { compiler: machine, lanes });
      const values = [1.1, -0.3, 7e5, -0, 0, 1 / 3, -2.5e-3];
      for (const special of [0.7, NaN, -Infinity, -0]) {
        for (const [i, kernel] of kernels.entries()) {
          const x = Float32Array.from({ length: 64 }, (_, k) =>
            k === 13 % 2 ** (i % 6) ? special : values[(k * 5 + i) % 7]!,
          );
          const [want, got] = [new Float32Array(1), new Float32Array(1)];
          runKernel(kernel, { x, y: want });
          await compiled.run(i, [x, got]);
          expect({ kernel: kernel.name, special, y: got[0] }).toEqual({ kernel: kernel.name, special, y: want[0] });
        }
      }
      compiled.close();
    },
  );
});
