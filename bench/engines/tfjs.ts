/** TensorFlow.js on its WebAssembly backend: op by op, on one thread (its threaded build does not start in Node). */
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import type * as Tfjs from '@tensorflow/tfjs';
import type * as WasmBackend from '@tensorflow/tfjs-backend-wasm';
import { serve } from '../harness/serve.ts';
import { materialize } from '../harness/work.ts';

// Their ESM builds import without file extensions, which Node refuses; the CommonJS ones work and share one tfjs-core.
const require = createRequire(import.meta.url);

await serve('tfjs', async (work, program) => {
  const tf = require('@tensorflow/tfjs') as typeof Tfjs;
  const wasm = require('@tensorflow/tfjs-backend-wasm') as typeof WasmBackend;
  wasm.setWasmPaths(`${dirname(require.resolve('@tensorflow/tfjs-backend-wasm'))}/`);
  await tf.setBackend('wasm');
  if (tf.getBackend() !== 'wasm') throw new Error(`asked for the wasm backend, tfjs chose ${tf.getBackend()}`);

  const lookup = materialize(work, ({ shape, dtype }, data) =>
    tf.tensor(data, [...shape], dtype === 'f32' ? 'float32' : 'int32'),
  );
  const compute = () => tf.tidy(() => program(tf, lookup));
  return {
    version: `tfjs-wasm ${wasm.version_wasm}`,
    run: async () => compute().dispose(), // the backend is synchronous: the result is there, in its memory
    output: async () => compute().dataSync(),
  };
});
