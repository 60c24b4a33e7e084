/** The small case that goes into an artifact with its answer: computed here, on the CPU, which is always there. */
import { cpu } from '@sinter/backend-cpu';
import { build } from '@sinter/compiler';
import type { Artifact, StateHandle } from '@sinter/compiler';
import { diskCache } from '@sinter/compiler/cache';
import type { CheckCase } from '@sinter/compiler/artifact';
import type { Data, DType } from '@sinter/ir';
import { dataFrom, decoder } from '@sinter/ir';
import type { Dims } from '../arguments/dims.ts';
import { sampleInputs, sampleSizes } from './sample.ts';
import type { Source } from './source/source.ts';
import { dimsFor } from './source/source.ts';

/**
 * A case for every entry point, by name, with the state as it is at first. What was built for the CPU is run as it is; for
 * another backend the graphs are compiled again.
 */
export async function checkCases(
  source: Source,
  built: Readonly<Record<string, Artifact>>,
  dims: Dims,
): Promise<Record<string, CheckCase>> {
  const backend = cpu();
  const cases: Record<string, CheckCase> = {};
  for (const [entry, g] of Object.entries(source.entries)) {
    const own = dimsFor(g, dims);
    const artifact =
      built[entry]!.backend === backend.name
        ? built[entry]!
        : await build(g, backend, { dims: own, cache: diskCache() });
    await using program = await backend.load(artifact);
    await writeWeights(program.state, source);
    const inputs = sampleInputs(program.inputs, source.inputs, sampleSizes(own));
    cases[entry] = { inputs, outputs: await program.run(inputs) };
  }
  return cases;
}

/** Writes the first values of a source into the state of a program that has them. */
export async function writeWeights(state: StateHandle, { weights }: Source): Promise<void> {
  for (const [name, { dtype }] of Object.entries(state.ports)) {
    const value = weights.get(name);
    if (value) await state.write(name, converted(value.data, value.dtype, dtype));
  }
}

function converted(data: Data, from: DType, to: DType): Data {
  return from === to ? data : dataFrom(to, Array.from(data, decoder(from)));
}
