/** onnxruntime-node: native code, an upper mark. */
import * as ort from 'onnxruntime-node';
import { serve } from '../harness/serve.ts';
import { prepareOrt } from './ort.ts';

await serve('onnx', (work, _program, threads) => {
  const options = { executionProviders: ['cpu'], intraOpNumThreads: threads, interOpNumThreads: 1 };
  return prepareOrt(ort, options, `onnxruntime-node ${ort.env.versions.node}`, work);
});
