/** What both onnxruntimes share: their JavaScript API is the same. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { InferenceSession, InferenceSessionFactory, TensorConstructor } from 'onnxruntime-common';
import type { Prepared } from '../harness/serve.ts';
import { fill } from '../harness/values.ts';
import { tensorsOf, type Work } from '../harness/work.ts';

/** Exports the work, loads it, and keeps its inputs as host tensors; `run` copies them in and the result out. */
export async function prepareOrt(
  ort: { readonly InferenceSession: InferenceSessionFactory; readonly Tensor: TensorConstructor },
  options: InferenceSession.SessionOptions,
  version: string,
  work: Work,
): Promise<Prepared> {
  const session = await ort.InferenceSession.create(modelOf(work), { ...options, logSeverityLevel: 3 });
  const inputs = tensorsOf(work).filter((tensor) => tensor.isInput);
  const feeds = Object.fromEntries(
    inputs.map((t) => [t.name, new ort.Tensor(t.dtype === 'f32' ? 'float32' : 'int32', fill(t, t.seed), t.shape)]),
  );
  const run = () => session.run(feeds);
  return { version, run, output: async () => (await run())['output']?.data as Float32Array };
}

function modelOf(work: Work): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'sinter-bench-'));
  try {
    const file = join(folder, 'model.onnx');
    const exporter = fileURLToPath(new URL('onnx-export.ts', import.meta.url));
    execFileSync(process.execPath, [...process.execArgv, exporter, work.name, file]);
    return readFileSync(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
