/** A small bundle with all that one can hold, for the tests: `forward`, and a `train_step` that changes state. */
import type { Tensor } from '@sinter/ir';
import * as ir from '@sinter/ir';
import type { Backend } from '../backend.ts';
import { build } from '../compile.ts';
import type { Bundle } from './bundle.ts';
import type { EncodedBundle, EncodedFile, EncodeOptions } from './encode.ts';
import { encodeBundle } from './encode.ts';
import type { ByteSource } from './source.ts';
import { bytesSource } from './source.ts';

const w = ir.state('w', [3, 4]);
const b = ir.state('b', [3]);
const x = ir.input('x', ['batch', 4]);

/** `y = x·wᵀ + b + table[row]`, with the table a constant. */
export const forward = ir.graph('model', {
  outputs: { y: ir.add(ir.linear(x as Tensor, w, b), ir.constant(Float32Array.of(0.5, -0.5, 0.25), [3])) },
});

/** One step down the gradient of the mean of `y²`, with a count of steps. */
export function trainStep(): ir.Graph {
  const steps = ir.state('steps', [1]);
  const loss = ir.mean(ir.square(forward.outputs['y']!));
  const [dw, db] = ir.gradients(loss, [w, b]);
  return ir.graph('model training', {
    outputs: { loss },
    updates: {
      w: ir.sub(w, ir.mul(dw!, 0.1)),
      b: ir.sub(b, ir.mul(db!, 0.1)),
      steps: ir.add(steps, 1),
    },
  });
}

const numbers = (count: number, seed: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => Math.fround(Math.sin(seed + i)));

/** The bundle, with weights `w` and `b`, a file, and a stored case of each entry that the evaluator has answered. */
export async function sampleBundle(backend: Backend, change: Partial<Bundle> = {}): Promise<Bundle> {
  const weights = { w: numbers(12, 1), b: numbers(3, 2) };
  const inputs = { x: { data: numbers(8, 3), shape: [2, 4] } };
  const state = { w: { data: weights.w, shape: [3, 4] }, b: { data: weights.b, shape: [3] } };
  const answer = (g: ir.Graph, more = {}) => ir.evaluate(g, inputs, { ...state, ...more }).outputs;
  const dims = { batch: { max: 16 } };
  return {
    name: 'sample',
    entries: {
      forward: await build(forward, backend, { dims }),
      train_step: await build(trainStep(), backend, { dims }),
    },
    weights: {
      w: { dtype: 'f32', shape: [3, 4], data: weights.w },
      b: { dtype: 'f32', shape: [3], data: weights.b },
    },
    zeros: ['steps'],
    files: { 'config.json': new TextEncoder().encode('{"hidden_size":4}') },
    check: {
      forward: { inputs, outputs: answer(forward) },
      train_step: { inputs, outputs: answer(trainStep(), { steps: { data: new Float32Array(1), shape: [1] } }) },
    },
    source: { model: 'sample', revision: 1 },
    ...change,
  };
}

/** All bytes of a stream. */
export async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk.slice());
  const out = new Uint8Array(all.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of all) {
    out.set(chunk, at);
    at += chunk.length;
  }
  return out;
}

/** The files of an encoded bundle, in memory. */
export async function collectFiles({ files }: EncodedBundle): Promise<Map<string, Uint8Array>> {
  const out = new Map<string, Uint8Array>();
  for (const file of files) out.set(file.name, await collect(file.read()));
  return out;
}

/** The bytes of a bundle whose weights are inside. */
export async function bundleBytes(bundle: Bundle, options?: EncodeOptions): Promise<Uint8Array> {
  const { files } = await encodeBundle(bundle, options);
  return collect((files[0] as EncodedFile).read());
}

/** The first of several files, with the others beside it. */
export function filesSource(files: ReadonlyMap<string, Uint8Array>): ByteSource {
  const [first] = files.values();
  return bytesSource(first!, {
    beside: (name) => bytesSource(files.get(name) ?? new Uint8Array(0), { name }),
  });
}
