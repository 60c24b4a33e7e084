/** Drives jax-js under `jit`. Runs in Node and in a page. */
import type * as Jax from '@jax-js/jax';
import type { Driven } from '../harness/serve.ts';
import type { Data } from '../harness/values.ts';
import { lookupIn, seeded, tensorsOf, type Named, type Programs, type Work } from '../harness/work.ts';

type Arrays = Record<string, Jax.Array>;

/**
 * Params and what an optimizer remembers stay with jax-js. On WebGPU a run goes from host to host, as it does for the other
 * engines; on WebAssembly its arrays lie in the host's memory anyway, and nothing is copied.
 * @param device - jax-js's name of the backend
 */
export async function driveJax(
  jax: typeof Jax,
  device: 'wasm' | 'webgpu',
  work: Work,
  program: NonNullable<Programs['jax']>,
  source = seeded,
): Promise<Driven> {
  if (!(await jax.init(device)).includes(device)) throw new Error(`jax-js cannot start its ${device} backend here`);
  jax.defaultDevice(device);

  const { array, int32, float32 } = jax.numpy;
  const arrays = (tensors: readonly Filled[]): Arrays =>
    Object.fromEntries(
      tensors.map(({ name, shape, dtype, data }) => {
        const flat = array(data, { dtype: dtype === 'f32' ? float32 : int32 });
        return [name, flat.reshape([...shape])];
      }),
    );
  const tensors = tensorsOf(work).map((tensor) => ({ ...tensor, data: source(tensor) }));
  const inputs = tensors.filter(({ role }) => role === 'input');
  const state = arrays(tensors.filter(({ role }) => role !== 'input'));

  const compute = jax.jit((t: Arrays) => {
    const { output, updates = {} } = program(jax, lookupIn(new Map(Object.entries(t)), work.name));
    return { output, updates };
  });
  const step = (given: Arrays): Jax.Array => {
    const { output, updates } = compute({ ...jax.tree.ref(state), ...given });
    for (const [name, value] of Object.entries(updates)) {
      state[name]?.dispose();
      state[name] = value;
    }
    return output; // its data waits for the updates too: one execution makes them all
  };

  const output = async () => (await step(arrays(inputs)).data()) as Float32Array;
  if (device === 'webgpu') return { run: output, output };
  const kept = arrays(inputs);
  return { run: async () => (await jax.blockUntilReady(step(jax.tree.ref(kept)))).dispose(), output };
}

type Filled = Named & { readonly data: Data };
