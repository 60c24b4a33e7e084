/** Sinter in Node, on the processor (as WebAssembly, or with `native` as compiled C) or on WebGPU. */
import { join } from 'node:path';
import type { Cache } from '@sinter/compiler';
import { driveSinter } from '../drive/sinter.ts';
import { tensorsIn } from '../harness/files.ts';
import { serve } from '../harness/serve.ts';
import { seeded } from '../harness/work.ts';
import { versionOf } from './version.ts';

await serve('sinter', async (work, program, threads, folder) => {
  if (work.place === 'cpu') {
    const { cpu } = await import('@sinter/backend-cpu');
    const target = process.argv.includes('native') ? 'native' : 'wasm';
    const version = `sinter ${versionOf('../../packages/backend-cpu')}`;
    const kept = folder && process.argv.includes('cached') ? { cache: await cacheIn(folder) } : {};
    const source = folder ? tensorsIn(folder, work) : seeded;
    return {
      ...(await driveSinter(
        cpu({ threads, target, ...(process.argv.includes('plain') && { fma: false }) }),
        work,
        program,
        { source, ...kept },
      )),
      version,
    };
  }
  const { provideWebGpu } = await import('./web-gpu.ts');
  const { device, gpu } = await provideWebGpu(work);
  const { webgpu } = await import('@sinter/backend-webgpu');
  const version = `sinter ${versionOf('../../packages/backend-webgpu')}`;
  return { ...(await driveSinter(webgpu({ device }), work, program)), gpu, version };
});

async function cacheIn(folder: string): Promise<Cache> {
  const { diskCache } = await import('@sinter/compiler/cache');
  return diskCache(join(folder, 'cache'));
}
