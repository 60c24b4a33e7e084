/** Kernels that convert 16-bit floats, and what they convert, for tests. */
import type { Kernel } from '@sinter/compiler';
import { load, loop, runKernel, store } from '@sinter/compiler';
import type { Data, DType } from '@sinter/ir';
import { constantExpr as c, e, variable } from '@sinter/ir';
import { kernelOver } from './wasm/kernel.test.kit.ts';

const halves = ['f16', 'bf16'] as const;

/** Reads `x` and writes `y`; through private storage of 16 bits too. */
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

/** A kernel that turns `x` into `y`, over the size `n`. */
export interface Conversion {
  readonly kernel: Kernel;
  readonly x: Data;
  readonly y: () => Data;
}
/** Every 16-bit pattern as `f32` and again as itself, floats around every rounding as 16 bits; in vectors and one by one. */
export const conversions: readonly Conversion[] = halves.flatMap((half) =>
  (['vector', 'serial'] as const).flatMap((kind) => [
    { kernel: copy(half, 'f32', kind, false), x: every(), y: (): Data => new Float32Array(65536) },
    { kernel: copy('f32', half, kind, false), x: floats(), y: (): Data => new Uint16Array(65536) },
    { kernel: copy(half, half, kind, true), x: every(), y: (): Data => new Uint16Array(65536) },
  ]),
);

/** What the interpreter gives. */
export function wanted({ kernel, x, y }: Conversion): Data {
  const out = y();
  runKernel(kernel, { x, y: out }, { n: x.length });
  return out;
}

/** Where a result differs from the interpreter's, in words. */
export function mistake({ kernel, x }: Conversion, got: Data, want: Data): string | undefined {
  const half = kernel.buffers[1]!.dtype;
  const at = [...got].findIndex(
    (value, k) => !Object.is(value, want[k]!) && !(isNaN16(value, half) && isNaN16(want[k]!, half)),
  );
  return at < 0 ? undefined : `${kernel.name}: of ${x[at]} (element ${at}) became ${got[at]}, want ${want[at]}`;
}

/** Which NaN it is does not matter. */
function isNaN16(bits: number, dtype: DType): boolean {
  return dtype === 'f16' ? (bits & 0x7fff) > 0x7c00 : dtype === 'bf16' && (bits & 0x7fff) > 0x7f80;
}
