/** jax-js in Node: on WebAssembly with workers lent to it when it shall use several threads, or on WebGPU with Dawn lent to it. */
import { driveJax } from '../drive/jax.ts';
import { tensorsIn } from '../harness/files.ts';
import { serve } from '../harness/serve.ts';
import { seeded } from '../harness/work.ts';
import { versionOf } from './version.ts';
import { provideWorkers } from './web-worker.ts';

await serve('jax', async (work, program, threads, folder) => {
  const webGpu = work.place === 'webgpu' ? await (await import('./web-gpu.ts')).provideWebGpu(work) : undefined;
  if (!webGpu && threads > 1) provideWorkers(threads);
  const jax = await import('@jax-js/jax'); // looks for both when it is imported
  const driven = await driveJax(
    jax,
    webGpu ? 'webgpu' : 'wasm',
    work,
    program,
    folder ? tensorsIn(folder, work) : seeded,
  );
  return { ...driven, ...webGpu, version: `jax-js ${versionOf('../node_modules/@jax-js/jax')}` };
});
