/** Drives both onnxruntimes: their JavaScript API is the same. Runs in Node and in a page. */
import type { InferenceSession, InferenceSessionFactory, TensorConstructor } from 'onnxruntime-common';
import type { Driven } from '../harness/serve.ts';
import { materialize, seeded, tensorsOf, type Work } from '../harness/work.ts';
import { OnnxGraph } from './onnx-writer.ts';

/** Loads the work's model and keeps its inputs as host tensors; `run` copies them in and the result out. */
export async function driveOnnx(
  ort: { readonly InferenceSession: InferenceSessionFactory; readonly Tensor: TensorConstructor },
  options: InferenceSession.SessionOptions,
  work: Work,
  model: Uint8Array,
  source = seeded,
): Promise<Driven> {
  const session = await ort.InferenceSession.create(model, { ...options, logSeverityLevel: 3 });
  const inputs = tensorsOf(work).filter((tensor) => tensor.role === 'input');
  const feeds = Object.fromEntries(
    inputs.map((t) => [t.name, new ort.Tensor(t.dtype === 'f32' ? 'float32' : 'int32', source(t), t.shape)]),
  );
  let kept: InferenceSession.OnnxValueMapType | undefined;
  const run = async () => (kept = kept ? await session.run(feeds, kept) : await session.run(feeds));
  return { run, output: async () => (await run())['output']?.data as Float32Array };
}

/** The work as a model file. */
export function onnxModel(work: Work): Uint8Array<ArrayBuffer> {
  const graph = new OnnxGraph();
  const lookup = materialize(work, ({ name, shape, dtype, role }, data) =>
    role === 'input' ? graph.input(name, shape, dtype) : graph.constant(data, shape),
  );
  if (!work.programs.onnx) throw new Error(`"${work.name}" has no program in the language onnx`);
  return graph.bytes(work.programs.onnx(graph, lookup));
}
