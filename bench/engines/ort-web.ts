/** onnxruntime-web: its threaded WebAssembly build, which does start in Node. */
import * as ort from 'onnxruntime-web';
import { driveOnnx } from '../drive/onnx.ts';
import { tensorsIn } from '../harness/files.ts';
import { serve } from '../harness/serve.ts';
import { seeded } from '../harness/work.ts';
import { modelOf } from './onnx-file.ts';

await serve('onnx', async (work, _program, threads, folder) => {
  ort.env.wasm.numThreads = threads;
  const driven = await driveOnnx(
    ort,
    { executionProviders: ['wasm'] },
    work,
    modelOf(work, folder),
    folder ? tensorsIn(folder, work) : seeded,
  );
  return { ...driven, version: `onnxruntime-web ${ort.env.versions.web}` };
});
