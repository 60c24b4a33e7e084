/** onnxruntime-web: its threaded WebAssembly build, which does start in Node. */
import * as ort from 'onnxruntime-web';
import { serve } from '../harness/serve.ts';
import { prepareOrt } from './ort.ts';

await serve('onnx', (work, _program, threads) => {
  ort.env.wasm.numThreads = threads;
  return prepareOrt(ort, { executionProviders: ['wasm'] }, `onnxruntime-web ${ort.env.versions.web}`, work);
});
