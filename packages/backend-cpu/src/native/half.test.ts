/** 16-bit floats: every pattern is read and written as the interpreter does, alone and in vectors. */
import type { Kernel } from '@sinter/compiler';
import { load, loop, runKernel, store } from '@sinter/compiler';
import type { Data, DType } from '@sinter/ir';
import { constantExpr as c, e, variable } from '@sinter/ir';
import { describe, expect, test } from 'vitest';
import { kernelOver } from '../wasm/kernel.test.kit.ts';
import { compileKernels, nativeCompiler, testMachines } from './kernel.test.kit.ts';

const compiler = nativeCompiler();
const machines = testMachines(compiler);
const halves = ['f16', 'bf16'] as const;

/** Reads `x`, adds 0 and multiplies by 1 as reals, and writes `y`; through storage of 16 bits too. */
function copy(from: DType, to: DType, kind: 'vector' | 'serial', through: boolean): Kernel {
  const i = variable('i');
  const value = e.cast(load('x', i, from), to);
  const held = [
    { k: 'alloc', name: 'held', dtype: to, length: 1, memory: 'register' },
    store('held', c(0), value),
    store('y', i, load('held', c(0), to)),
  ] as const;
  const body = loop(kind, 'i', variable('n'), () => (through && kind === 'serial' ? held : [store('y', i, value)]));
  return { ...kernelOver({ x: from, y: to }, ['n'], [body]), name: `${from}_${to}_${kind}` };
}

const every = (): Uint16Array => Uint16Array.from({ length: 65536 }, (_, i) => i);
/** Floats around every rounding and every edge of both formats. */
function floats(): Float32Array {
  const bits = Uint32Array.from(
    { length: 65536 },
    (_, i) => (i << 16) | [0, 1, 0x0fff, 0x1000, 0x1001, 0x7fff, 0x8000, 0x8001, 0xffff][i % 9]!,
  );
  return new Float32Array(bits.buffer);
}

describe.skipIf(!compiler).each([16, 8, 4])('%i lanes', (lanes) => {
  test.each(machines)('$command $machineFlags', async (machine) => {
    const cases = halves.flatMap((half) =>
      (['vector', 'serial'] as const).flatMap((kind) => [
        { kernel: copy(half, 'f32', kind, false), x: every(), y: (): Data => new Float32Array(65536) },
        { kernel: copy('f32', half, kind, false), x: floats(), y: (): Data => new Uint16Array(65536) },
        { kernel: copy(half, half, kind, true), x: every(), y: (): Data => new Uint16Array(65536) },
      ]),
    );
    const compiled = await compileKernels(cases.map(({ kernel }) => kernel), ['n'], { compiler: machine, lanes }); // prettier-ignore
    for (const [i, { kernel, x, y }] of cases.entries()) {
      const [want, got] = [y(), y()];
      runKernel(kernel, { x, y: want }, { n: x.length });
      await compiled.run(i, [x, got], { n: x.length });
      const half = kernel.buffers[1]!.dtype;
      const at = [...got].findIndex(
        (value, k) => !Object.is(value, want[k]!) && !(isNaN16(value, half) && isNaN16(want[k]!, half)),
      );
      if (at >= 0) expect.fail(`${kernel.name}: of ${x[at]} (element ${at}) became ${got[at]}, want ${want[at]}`);
    }
    compiled.close();
  });
});

/** Which NaN it is does not matter. */
function isNaN16(bits: number, dtype: DType): boolean {
  return dtype === 'f16' ? (bits & 0x7fff) > 0x7c00 : dtype === 'bf16' && (bits & 0x7fff) > 0x7f80;
}
