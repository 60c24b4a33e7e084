/** What is told of a run: how long its steps took, where it failed, and that it has no room. Fetched by those who want it. */
import type { Sizes } from '@sinter/ir';
import type { Artifact, StepTime } from '@sinter/compiler/artifact';
import type { Memory } from './memory.ts';
import type { Resident } from './store.ts';

/** The milliseconds of every step but those that are run once. */
export function stepTimes(artifact: Artifact, { base, header }: Resident, memory: Memory): StepTime[] {
  const { steps, kernels, prepare } = artifact;
  const times = memory.times(base + header.times, steps.length + 1);
  return steps
    .map(({ kernel }, step) => ({ step, kernel: kernels[kernel]!, ms: times[step + 1]! - times[step]! }))
    .slice(prepare);
}

/** The message of a run that failed because of `why`, having begun with step `first`. */
export function failure(
  artifact: Artifact,
  { base, header }: Resident,
  memory: Memory,
  first: number,
  why: string,
): string {
  const { name, steps, kernels } = artifact;
  const at = first + memory.words(base + header.generation, 1)[0]!;
  const kernel = steps[at] && kernels[steps[at].kernel];
  const where = kernel === undefined ? '' : ` in kernel '${kernel}' (step ${at + 1} of ${steps.length})`;
  return `program '${name}' failed${where}: ${why}`;
}

/** The message where memory cannot grow from `have` bytes to `need`, of which `bytes` are for the tensors of one run. */
export function refusal(program: string, sizes: Sizes, need: number, bytes: number, have: number, why: string): string {
  const names = Object.keys(sizes);
  return (
    `program '${program}'${names.map((name, i) => `${i > 0 ? ',' : ' with'} ${name}=${sizes[name]}`).join('')} needs ${showBytes(need)} of memory, ` +
    `of which ${showBytes(bytes)} for the tensors of one run; no more than 4 GiB can be addressed, and more than ${showBytes(have)} ` +
    `was refused (${why}); make ${names.join(' or ') || 'the model'} smaller, or close programs that share its state`
  );
}

/** A number of bytes for people: `1.25 GiB`. */
export function showBytes(bytes: number): string {
  const mib = bytes / 2 ** 20;
  return mib < 1024 ? `${mib.toFixed(2)} MiB` : `${(mib / 1024).toFixed(2)} GiB`;
}
