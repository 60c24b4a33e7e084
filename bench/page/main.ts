/** The engines in a page, which the process of engines/page.ts drives through `globalThis.bench`. */
import { driveJax } from '../drive/jax.ts';
import { driveOnnx, onnxModel } from '../drive/onnx.ts';
import { driveSinter } from '../drive/sinter.ts';
import { countGpu, countRun, type GpuCounts } from '../harness/gpu-counter.ts';
import { sample, type Sample } from '../harness/protocol.ts';
import type { Driven } from '../harness/serve.ts';
import { findWork } from '../works/index.ts';

/** What the process asks of the page; everything that crosses is JSON. */
export interface PageBench {
  /** Loads the work into the engine; returns the adapter's description. */
  prepare(engine: string, work: string): Promise<string>;
  /** One run; a sample of its result. */
  output(): Promise<Sample>;
  /** One run; its milliseconds. */
  clock(): Promise<number>;
  /** What one run asks of the adapter; called once, afterwards nothing is counted. */
  counts(): Promise<GpuCounts>;
}

declare global {
  var bench: PageBench;
}

const counter = countGpu(globalThis);
let driven: Driven | undefined;

globalThis.bench = {
  async prepare(engine, name) {
    driven = await drive(engine, name);
    const adapter = await navigator.gpu.requestAdapter();
    if (!adapter) throw new Error('this Chromium has no WebGPU adapter');
    return [adapter.info.vendor, adapter.info.architecture, adapter.info.description].filter(Boolean).join(' ');
  },
  output: async () => sample(await loaded().output()),
  async clock() {
    const before = performance.now();
    await loaded().run();
    return performance.now() - before;
  },
  counts: () => countRun(counter, () => loaded().run()),
};

async function drive(engine: string, name: string): Promise<Driven> {
  const work = findWork(name);
  const { sinter, jax } = work.programs;
  if (engine === 'sinter' && sinter) {
    const { requestDevice, webgpu } = await import('@sinter/backend-webgpu');
    return driveSinter(webgpu({ device: await requestDevice() }), work, sinter); // planned for this very device
  }
  if (engine === 'jax-js' && jax) return driveJax(await import('@jax-js/jax'), 'webgpu', work, jax);
  if (engine === 'onnxruntime-web') {
    const ort = await import('onnxruntime-web/webgpu');
    return driveOnnx(ort, { executionProviders: ['webgpu'] }, work, onnxModel(work));
  }
  throw new Error(`no engine "${engine}" for "${name}" in a page`);
}

function loaded(): Driven {
  if (!driven) throw new Error('call prepare first');
  return driven;
}
