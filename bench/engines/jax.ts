/** jax-js on its WebAssembly backend under `jit`, with workers lent to it when it shall use several threads. */
import { readFileSync } from 'node:fs';
import { serve } from '../harness/serve.ts';
import { lookupIn, materialize, tensorsOf } from '../harness/work.ts';
import { provideWorkers } from './web-worker.ts';

await serve('jax', async (work, program, threads) => {
  if (threads > 1) provideWorkers(threads);
  const jax = await import('@jax-js/jax');
  const { array, int32, float32 } = jax.numpy;
  await jax.init('wasm');
  jax.defaultDevice('wasm');

  const lookup = materialize(work, ({ shape, dtype }, data) =>
    array(data, { dtype: dtype === 'f32' ? float32 : int32 }).reshape([...shape]),
  );
  const args = Object.fromEntries(tensorsOf(work).map(({ name }) => [name, lookup(name)]));
  const compute = jax.jit((t: typeof args) => program(jax, lookupIn(new Map(Object.entries(t)), work.name)));
  const manifest = readFileSync(new URL('../node_modules/@jax-js/jax/package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(manifest) as { version: string };
  return {
    version: `jax-js ${version}`,
    run: async () => (await jax.blockUntilReady(compute(jax.tree.ref(args)))).dispose(),
    output: () => compute(jax.tree.ref(args)).data() as Promise<Float32Array>,
  };
});
