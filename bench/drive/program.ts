/** Drives a program of Sinter's that holds its weights. Imports no compiler. */
import type { Program } from '@sinter/compiler/artifact';
import type { Driven } from '../harness/serve.ts';
import { tensorsOf, type Source, type Work } from '../harness/work.ts';

/** Inputs are handed over and the output is copied out in every run. */
export function driveProgram(program: Program, work: Work, source: Source): Driven {
  const given = tensorsOf(work).filter(({ role }) => role === 'input');
  const inputs = Object.fromEntries(
    given.map((tensor) => [tensor.name, { data: source(tensor), shape: tensor.shape }]),
  );
  const run = async () => (await program.run(inputs))['output']?.data as Float32Array;
  return { run, output: run };
}
