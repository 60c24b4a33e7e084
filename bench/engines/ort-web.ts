/** onnxruntime-web: its threaded WebAssembly build, which does start in Node. */
import * as ort from 'onnxruntime-web';
import { driveOnnx } from '../drive/onnx.ts';
import { serve } from '../harness/serve.ts';
import { modelOf } from './onnx-file.ts';

await serve('onnx', async (work, _program, threads) => {
  ort.env.wasm.numThreads = threads;
  const driven = await driveOnnx(ort, { executionProviders: ['wasm'] }, work, modelOf(work));
  return { ...driven, version: `onnxruntime-web ${ort.env.versions.web}` };
});
