/** onnxruntime-node: native code, an upper mark. */
import * as ort from 'onnxruntime-node';
import { driveOnnx } from '../drive/onnx.ts';
import { serve } from '../harness/serve.ts';
import { modelOf } from './onnx-file.ts';

await serve('onnx', async (work, _program, threads) => {
  const options = { executionProviders: ['cpu'], intraOpNumThreads: threads, interOpNumThreads: 1 };
  const driven = await driveOnnx(ort, options, work, modelOf(work));
  return { ...driven, version: `onnxruntime-node ${ort.env.versions.node}` };
});
