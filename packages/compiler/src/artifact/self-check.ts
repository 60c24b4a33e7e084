/** Runs the stored cases of a bundle on the device and compares: wrong and silent is worse than refused. */
import type { Data, DType, TensorData } from '@sinter/ir';
import { decoder, isFloat, sameShape, showShape } from '@sinter/ir';
import type { Tolerance } from './bundle.ts';
import { ArtifactError } from './errors.ts';
import type { ManifestTensor, TensorInfo } from './manifest.ts';
import type { Program, StateHandle } from './program.ts';
import type { BundleReader, ReadOptions } from './reader.ts';
import { asElements } from './safetensors.ts';

/**
 * Runs the stored cases of `programs`, each with the state that is there now, which is put back afterwards.
 *
 * @throws ArtifactError `check` if there is no case, or an output differs by more than its case allows: says which and by how much.
 */
export async function runChecks(
  reader: BundleReader,
  programs: Readonly<Record<string, Program>>,
  state: StateHandle,
  options: ReadOptions = {},
): Promise<void> {
  const { manifest } = reader;
  const names = Object.keys(programs).filter((name) => Object.hasOwn(manifest.check, name));
  if (names.length === 0)
    throw new ArtifactError(
      'check',
      `'${manifest.name}' carries no case to check; build it with one, or load without selfCheck`,
    );
  const cases = names.map((name) => manifest.check[name]!);
  const numbers = cases.flatMap((c) => [...Object.values(c.inputs), ...Object.values(c.outputs)].map((t) => t.part));
  const parts = await reader.parts(numbers, options.signal && { signal: options.signal });
  const tensors = (stored: Readonly<Record<string, ManifestTensor>>, infos: Readonly<Record<string, TensorInfo>>) =>
    Object.fromEntries(
      Object.entries(stored).map(([key, { shape, part }]): [string, TensorData] => [
        key,
        { shape, data: asElements(infos[key]!.dtype, parts.get(part)!) },
      ]),
    );
  for (const [i, name] of names.entries()) {
    options.signal?.throwIfAborted();
    const { inputs, outputs, updates, state: used } = manifest.entries[name]!;
    const { inputs: given, outputs: wanted, tolerance } = manifest.check[name]!;
    const before: [string, Data][] = [];
    for (const key of updates ?? used) before.push([key, await state.read(key)]);
    const got = await programs[name]!.run(tensors(given, inputs));
    for (const [key, data] of before) await state.write(key, data);
    for (const [key, want] of Object.entries(tensors(wanted, outputs))) {
      const wrong = difference(got[key], want, outputs[key]!.dtype, tolerance);
      if (wrong !== undefined)
        throw new ArtifactError(
          'check',
          `'${manifest.name}' gives wrong results on this machine: output '${key}' of '${name}' ${wrong}`,
        );
    }
    options.onProgress?.(i + 1, names.length);
  }
}

/** How `got` differs from `want` by more than is allowed, in words. */
function difference(
  got: TensorData | undefined,
  want: TensorData,
  dtype: DType,
  { absolute, relative }: Tolerance,
): string | undefined {
  if (!got) return 'is missing';
  if (!sameShape(got.shape, want.shape))
    return `is ${showShape(got.shape)}, the stored answer ${showShape(want.shape)}`;
  const number = decoder(dtype);
  let wrong = 0;
  let worst = { at: -1, excess: 0 };
  for (let at = 0; at < want.data.length; at++) {
    const [a, b] = [number(got.data[at]!), number(want.data[at]!)];
    const allowed = isFloat(dtype) ? absolute + relative * Math.abs(b) : 0;
    if (Object.is(a, b) || Math.abs(a - b) <= allowed) continue;
    wrong++;
    const excess = Math.abs(a - b) - allowed;
    // NaN against a number is as wrong as can be.
    if (worst.at < 0 || excess > worst.excess || (Number.isNaN(excess) && !Number.isNaN(worst.excess)))
      worst = { at, excess };
  }
  if (wrong === 0) return undefined;
  const [a, b] = [number(got.data[worst.at]!), number(want.data[worst.at]!)];
  const allowed = isFloat(dtype) ? absolute + relative * Math.abs(b) : 0;
  return `is off: element ${worst.at} of ${dtype}${showShape(want.shape)} is ${a}, the stored answer ${b} (by ${Math.abs(a - b)}, allowed ${allowed}); ${wrong} of ${want.data.length} elements are off`;
}
