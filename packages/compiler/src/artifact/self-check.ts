/** Runs the stored cases of a bundle on the device and compares: wrong and silent is worse than refused. */
import type { Data, DType, TensorData } from '@sinter/ir';
import { decoder, isFloat, sameShape, showShape } from '@sinter/ir';
import type { Tolerance } from './bundle.ts';
import { ArtifactError } from './errors.ts';
import type { ManifestTensor, TensorInfo } from './manifest.ts';
import type { Program, StateHandle } from './program.ts';
import type { BundleReader, ReadOptions } from './reader.ts';
import { asElements } from './elements.ts';
import { mapValues } from './record.ts';

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
    mapValues(stored, ({ shape, part }, key): TensorData => ({
      shape,
      data: asElements(infos[key]!.dtype, parts(part)),
    }));
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
          `'${manifest.name}' gives wrong results on this machine: output '${key}' of '${name}', ${wrong}`,
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
  if (!got || !sameShape(got.shape, want.shape))
    return `is ${showShape(got?.shape ?? [])}, the stored answer ${showShape(want.shape)}`;
  const number = decoder(dtype);
  const count = want.data.length;
  let wrong = 0;
  let worst = { excess: -1, text: '' };
  for (let at = 0; at < count; at++) {
    const [a, b] = [number(got.data[at]!), number(want.data[at]!)];
    const off = Math.abs(a - b);
    const allowed = isFloat(dtype) ? absolute + relative * Math.abs(b) : 0;
    if (off <= allowed || Object.is(a, b)) continue;
    wrong++;
    // NaN against a number is as wrong as can be.
    const excess = Number.isNaN(off) ? Infinity : off - allowed;
    if (excess > worst.excess)
      worst = { excess, text: `element ${at} is ${a}, the stored answer ${b} (off by ${off}, allowed ${allowed})` };
  }
  return wrong > 0
    ? `${dtype}${showShape(want.shape)}: ${worst.text}; ${wrong} of ${count} elements are off`
    : undefined;
}
