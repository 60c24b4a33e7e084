/** TensorFlow.js on its WebAssembly backend: op by op, on one thread (its threaded build does not start in Node). */
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import type * as Tfjs from '@tensorflow/tfjs';
import type * as WasmBackend from '@tensorflow/tfjs-backend-wasm';
import { tensorsIn } from '../harness/files.ts';
import { serve } from '../harness/serve.ts';
import type { Data } from '../harness/values.ts';
import { materialize, seeded, type Named } from '../harness/work.ts';

// Their ESM builds import without file extensions, which Node refuses; the CommonJS ones work and share one tfjs-core.
const require = createRequire(import.meta.url);

await serve('tfjs', async (work, program, _threads, folder) => {
  const tf = require('@tensorflow/tfjs') as typeof Tfjs;
  const wasm = require('@tensorflow/tfjs-backend-wasm') as typeof WasmBackend;
  wasm.setWasmPaths(`${dirname(require.resolve('@tensorflow/tfjs-backend-wasm'))}/`);
  await tf.setBackend('wasm');
  if (tf.getBackend() !== 'wasm') throw new Error(`asked for the wasm backend, tfjs chose ${tf.getBackend()}`);

  const source = folder ? tensorsIn(folder, work) : seeded;
  const make = ({ shape, dtype }: Named, data: Data) =>
    tf.tensor(data, [...shape], dtype === 'f32' ? 'float32' : 'int32');
  const lookup = materialize(work, make, source);
  const compute = () => tf.tidy(() => program(tf, lookup));
  return {
    version: `tfjs-wasm ${wasm.version_wasm}`,
    run: async () => compute().dispose(), // the backend is synchronous: the result is there, in its memory
    output: async () => compute().dataSync(),
  };
});
