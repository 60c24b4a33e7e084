/** What is told of a run: how long its steps took, and where it failed. Fetched by those who want it. */
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
