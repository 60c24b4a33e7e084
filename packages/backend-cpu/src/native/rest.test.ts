/** The last iterations of a vector loop, which do not fill a vector: every number of them, in every dtype, and nothing beyond. */
import type { Kernel } from '@sinter/compiler';
import { load, loop, runKernel, store } from '@sinter/compiler';
import type { DType } from '@sinter/ir';
import { constantExpr as c, dataFor, dtypes, e, variable } from '@sinter/ir';
import { describe, expect, test } from 'vitest';
import { kernelOver } from '../wasm/kernel.test.kit.ts';
import { compileKernels, nativeCompiler, testMachines } from './kernel.test.kit.ts';
import { planSource } from './source.ts';

const compiler = nativeCompiler();
const machines = testMachines(compiler);

/** `y[1 + i] = x[i + 2]`, and the same once more than it was where `y` is an integer. */
function shifted(dtype: DType, count: number | undefined): Kernel {
  const body = loop('vector', 'i', count === undefined ? variable('n') : c(count), (i) => {
    const value = load('x', e.add(i, c(2)), dtype);
    return [store('y', e.add(i, c(1)), dtype === 'i32' ? e.add(value, load('y', e.add(i, c(1)), dtype)) : value)];
  });
  return { ...kernelOver({ x: dtype, y: dtype }, ['n'], [body]), name: `${dtype}_${count ?? 'n'}` };
}

const fixed = [1, 2, 3, 5, 7, 9, 13, 15, 17, 30, 31, 33, 67, 79];
const any = Array.from({ length: 40 }, (_, n) => n);

test('a rest is one vector, and where its elements are not neighbours one by one', () => {
  const source = (kernel: Kernel): string =>
    planSource({ kernels: [kernel], dims: { n: { min: 0, max: 99 } } }, 16).split('#ifndef PARTS')[1]!;
  expect(source(shifted('f32', undefined))).toMatch(
    /store_first_f32x16\(y \+ i \+ 1, load_first_f32x16\(x \+ i \+ 2, n - i\), n - i\)/,
  );
  expect(source(shifted('f32', 13))).toMatch(/store_first_f32x16\(.*, 13\)/);
  const every = loop('vector', 'i', variable('n'), (i) => [store('y', i, load('x', e.mul(i, c(3)), 'f32'))]);
  expect(source(kernelOver({ x: 'f32', y: 'f32' }, ['n'], [every]))).toMatch(
    /for \(; i < n; i\+\+\) \{\n *y\[i\] = x\[i \* 3\];/,
  );
});

describe.skipIf(!compiler).each([16, 8, 4])('%i lanes', (lanes) => {
  test.each(machines)('$command $machineFlags', async (machine) => {
    const cases = dtypes.flatMap((dtype) => [
      ...fixed.map((n) => ({ kernel: shifted(dtype, n), sizes: [n] })),
      { kernel: shifted(dtype, undefined), sizes: any },
    ]);
    const compiled = await compileKernels(cases.map(({ kernel }) => kernel), ['n'], { compiler: machine, lanes }); // prettier-ignore
    for (const [k, { kernel, sizes }] of cases.entries()) {
      for (const n of sizes) {
        const { dtype } = kernel.buffers[0]!;
        // What is read ends with the memory, or nearly.
        const x = dataFor(dtype, n + 2).map((_, i) => (dtype === 'bool' ? i & 1 : (i * 37) % 100)) as Float32Array;
        const [want, got] = [
          dataFor(dtype, n + 3).fill(dtype === 'bool' ? 1 : 77),
          dataFor(dtype, n + 3).fill(dtype === 'bool' ? 1 : 77),
        ];
        runKernel(kernel, { x, y: want }, { n });
        await compiled.run(k, [x, got], { n });
        expect({ kernel: kernel.name, n, y: got }).toEqual({ kernel: kernel.name, n, y: want });
      }
    }
    compiled.close();
  });
});
