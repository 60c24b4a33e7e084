/** Sinter in Node, on the processor (as WebAssembly, or with `native` as compiled C) or on WebGPU. */
import { driveSinter } from '../drive/sinter.ts';
import { serve } from '../harness/serve.ts';
import { versionOf } from './version.ts';
import { provideWebGpu } from './web-gpu.ts';

await serve('sinter', async (work, program, threads) => {
  if (work.place === 'cpu') {
    const { cpu } = await import('@sinter/backend-cpu');
    const target = process.argv.includes('native') ? 'native' : 'wasm';
    const version = `sinter ${versionOf('../../packages/backend-cpu')}`;
    return { ...(await driveSinter(cpu({ threads, target }), work, program)), version };
  }
  const { device, gpu } = await provideWebGpu(work);
  const { webgpu } = await import('@sinter/backend-webgpu');
  const version = `sinter ${versionOf('../../packages/backend-webgpu')}`;
  return { ...(await driveSinter(webgpu({ device }), work, program)), gpu, version };
});
