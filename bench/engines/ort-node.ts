/** onnxruntime-node: native code, an upper mark. */
import * as ort from 'onnxruntime-node';
import { driveOnnx } from '../drive/onnx.ts';
import { tensorsIn } from '../harness/files.ts';
import { serve } from '../harness/serve.ts';
import { seeded } from '../harness/work.ts';
import { modelOf } from './onnx-file.ts';

await serve('onnx', async (work, _program, threads, folder) => {
  const options = { executionProviders: ['cpu'], intraOpNumThreads: threads, interOpNumThreads: 1 };
  const driven = await driveOnnx(ort, options, work, modelOf(work, folder), folder ? tensorsIn(folder, work) : seeded);
  return { ...driven, version: `onnxruntime-node ${ort.env.versions.node}` };
});
