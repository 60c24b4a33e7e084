/** Drives a program of Sinter's that holds its weights. Imports no compiler. */
import type { Program } from '@sinter/compiler/artifact';
import type { Driven } from '../harness/serve.ts';
import { tensorsOf, type Source, type Work } from '../harness/work.ts';

/** Inputs are handed over in every run, and the output is written into the array that the first run gave. */
export function driveProgram(program: Program, work: Work, source: Source): Driven {
  const given = tensorsOf(work).filter(({ role }) => role === 'input');
  const inputs = Object.fromEntries(
    given.map((tensor) => [tensor.name, { data: source(tensor), shape: tensor.shape }]),
  );
  let kept: Float32Array | undefined;
  const run = async () => {
    const { output } = await program.run(inputs, kept && { outputs: { output: kept } });
    return (kept = output?.data as Float32Array);
  };
  return { run, output: run };
}
