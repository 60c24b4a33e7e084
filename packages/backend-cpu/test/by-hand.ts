/** Artifacts whose WebAssembly is written by hand, so that the runtime can be tested without compiler and code generator. */
import type { DType, Shape } from '@sinter/ir';
import { dataFrom, elements } from '@sinter/ir';
import type { Artifact, BufferRole, DimRange, PlanBuffer, Port } from '@sinter/compiler/artifact';
import wabt from 'wabt';
import { packCode } from '../src/runtime/code.ts';
import { headerLayout } from '../src/runtime/layout.ts';

/** A buffer of f32 (or i32) elements; those that are no constant or scratch are ports of the same name. */
export interface HandBuffer {
  readonly role: BufferRole;
  readonly shape: Shape;
  readonly dtype?: DType;
  readonly values?: readonly number[];
}

/**
 * A step as WebAssembly text: `count` iterations that the threads claim one by one; `$i` is the iteration, `$thread` the
 * thread, and `(call $at (i32.const B) I)` the address of the 4-byte element `I` of buffer `B`.
 */
export interface HandStep {
  readonly kernel: string;
  readonly count: string;
  readonly body: string;
}

/** A program by hand. The names of `buffers` are numbered in order. */
export interface ByHand {
  readonly name: string;
  readonly dims?: Record<string, DimRange>;
  readonly buffers: Readonly<Record<string, HandBuffer>>;
  readonly steps: readonly HandStep[];
  readonly scratchBytes?: number;
}

const assembler = await wabt();

/** The artifact of a program by hand. */
export function byHand({ name, dims = {}, buffers, steps, scratchBytes = 0 }: ByHand): Artifact {
  const named = Object.entries(buffers);
  const ports = (wanted: BufferRole): Record<string, Port> =>
    Object.fromEntries(
      named.flatMap(([key, { role, shape, dtype = 'f32' }], buffer) =>
        role === wanted ? [[key, { shape, dtype, buffer }]] : [],
      ),
    );
  const module = assemble(name, Object.keys(dims), named.length, steps);
  return {
    format: 1,
    backend: 'cpu',
    name,
    dims,
    inputs: ports('input'),
    outputs: ports('output'),
    state: ports('state'),
    buffers: named.map(([key, { role, shape, dtype = 'f32' }]): PlanBuffer => ({
      name: key,
      role,
      dtype,
      length: elements(shape),
      live: [0, steps.length - 1],
    })),
    steps: steps.map((_, kernel) => ({ kernel, buffers: named.map((_, i) => i) })),
    kernels: steps.map(({ kernel }) => kernel),
    code: packCode({ plain: module, fma: module, scratchBytes }),
    constants: Object.fromEntries(
      named.flatMap(([key, { values, dtype = 'f32' }]) => (values ? [[key, dataFrom(dtype, values)]] : [])),
    ),
  };
}

function assemble(name: string, dims: readonly string[], buffers: number, steps: readonly HandStep[]): Uint8Array {
  const h = headerLayout({ steps: steps.length, dims: dims.length, buffers });
  const text = `(module
    (import "env" "memory" (memory 1 65536 shared))
    (import "env" "base" (global $base i32))
    (import "env" "scratch" (global $scratch i32))
    (import "env" "now" (func $now (result f64)))
    (func $at (param $buffer i32) (param $i i32) (result i32)
      (i32.add
        (i32.load offset=${h.addresses} (i32.add (global.get $base) (i32.shl (local.get $buffer) (i32.const 2))))
        (i32.shl (local.get $i) (i32.const 2))))
    (func $dim (param $d i32) (result i32)
      (i32.load offset=${h.dims} (i32.add (global.get $base) (i32.shl (local.get $d) (i32.const 2)))))
    (func $time (param $thread i32) (param $slot i32)
      (if (i32.and (i32.eqz (local.get $thread)) (i32.load offset=${h.profile} (global.get $base)))
        (then (f64.store offset=${h.times} (i32.add (global.get $base) (i32.shl (local.get $slot) (i32.const 3))) (call $now)))))
    (func $barrier (param $threads i32) (local $generation i32)
      (local.set $generation (i32.atomic.load offset=${h.generation} (global.get $base)))
      (if (i32.eq (i32.atomic.rmw.add offset=${h.arrived} (global.get $base) (i32.const 1)) (i32.sub (local.get $threads) (i32.const 1)))
        (then
          (i32.atomic.store offset=${h.arrived} (global.get $base) (i32.const 0))
          (drop (i32.atomic.rmw.add offset=${h.generation} (global.get $base) (i32.const 1)))
          (drop (memory.atomic.notify offset=${h.generation} (global.get $base) (i32.const -1))))
        (else (drop (memory.atomic.wait32 offset=${h.generation} (global.get $base) (local.get $generation) (i64.const -1))))))
    ${steps.map(
      ({ count, body }, s) => `(func $step${s} (param $thread i32) (local $i i32)
        (block $end (loop $next
          (local.set $i (i32.atomic.rmw.add offset=${h.counters + 4 * s} (global.get $base) (i32.const 1)))
          (br_if $end (i32.ge_u (local.get $i) ${count}))
          ${body}
          (br $next))))`,
    )}
    (func (export "run") (param $thread i32) (param $threads i32)
      (call $time (local.get $thread) (i32.const 0))
      ${steps.map((_, s) => `(call $step${s} (local.get $thread)) (call $barrier (local.get $threads)) (call $time (local.get $thread) (i32.const ${s + 1}))`)}))`;
  const parsed = assembler.parseWat(`${name}.wat`, text.replaceAll(',(', '('), { threads: true, simd: true });
  try {
    return Uint8Array.from(parsed.toBinary({}).buffer);
  } finally {
    parsed.destroy();
  }
}

const word = (value: number): string => `(i32.const ${value})`;
const element = (buffer: number): string => `(call $at ${word(buffer)} (local.get $i))`;

/** State `x: f32[64]`; every run adds 1 to each element. */
export const increment = byHand({
  name: 'increment',
  buffers: { x: { role: 'state', shape: [64] } },
  steps: [
    {
      kernel: 'add_one',
      count: word(64),
      body: `(f32.store ${element(0)} (f32.add (f32.load ${element(0)}) (f32.const 1)))`,
    },
  ],
});

/** `b[n] = a[n] · k + x[0]`, in two steps through scratch; `k` is a constant, 2. */
export const affine = byHand({
  name: 'affine',
  dims: { n: { min: 0, max: 1 << 28 } },
  buffers: {
    a: { role: 'input', shape: ['n'] },
    k: { role: 'constant', shape: [1], values: [2] },
    x: { role: 'state', shape: [64] },
    t: { role: 'scratch', shape: ['n'] },
    b: { role: 'output', shape: ['n'] },
  },
  steps: [
    {
      kernel: 'scale',
      count: `(call $dim ${word(0)})`,
      body: `(f32.store ${element(3)} (f32.mul (f32.load ${element(0)}) (f32.load (call $at ${word(1)} ${word(0)}))))`,
    },
    {
      kernel: 'shift',
      count: `(call $dim ${word(0)})`,
      body: `(f32.store ${element(4)} (f32.add (f32.load ${element(3)}) (f32.load (call $at ${word(2)} ${word(0)}))))`,
    },
  ],
});

/** A program that does nothing, in one step. */
export const empty = byHand({ name: 'empty', buffers: {}, steps: [{ kernel: 'nothing', count: word(0), body: '' }] });

/** State `x` of {@link increment}; the second of two steps fails on one thread while the others wait for it. */
export const failing = byHand({
  name: 'failing',
  buffers: { x: { role: 'state', shape: [64] } },
  steps: [
    { kernel: 'fine', count: word(1), body: `(f32.store ${element(0)} (f32.const 7))` },
    { kernel: 'broken', count: word(1), body: 'unreachable' },
  ],
});

/** Each thread writes its number + 1 to its scratch and, from there, to `who`; the steps are long enough that all take part. */
export const scratching = byHand({
  name: 'scratching',
  buffers: { who: { role: 'output', shape: [4096], dtype: 'i32' } },
  scratchBytes: 100,
  steps: [
    {
      kernel: 'who',
      count: word(4096),
      body: `(i32.store (global.get $scratch) (i32.add (local.get $thread) ${word(1)})) (i32.store ${element(0)} (i32.load (global.get $scratch)))`,
    },
  ],
});
