/** Drives Sinter on any backend. Runs in Node and in a page. */
import { build, type Artifact, type Backend, type BuildOptions, type Runtime } from '@sinter/compiler';
import * as ir from '@sinter/ir';
import type { Driven } from '../harness/serve.ts';
import { lookupIn, seeded, tensorsOf, type Named, type Programs, type Work } from '../harness/work.ts';
import { driveProgram } from './program.ts';

type Written = NonNullable<Programs['sinter']>;

/** The work as a graph: params and slots are its state. */
export function sinterGraph(work: Work, program: Written): ir.Graph {
  const symbol = ({ name, role, shape, dtype, stored }: Named): ir.Tensor =>
    role === 'input' ? ir.input(name, shape, dtype) : ir.state(name, shape, stored ?? dtype);
  const symbols = new Map(tensorsOf(work).map((tensor) => [tensor.name, symbol(tensor)]));
  const { output, updates = {} } = program(ir, lookupIn(symbols, work.name));
  return ir.graph(work.name, { outputs: { output }, updates });
}

/** Compiles the work, and hands it its weights. */
export async function driveSinter(
  backend: Backend,
  work: Work,
  program: Written,
  { source = seeded, ...options }: BuildOptions & { readonly source?: typeof seeded } = {},
): Promise<Driven> {
  return driveArtifact(await build(sinterGraph(work, program), backend, options), backend, work, source);
}

/** The same from what was built. Weights come one at a time, so that they don't lie in memory twice. */
async function driveArtifact(artifact: Artifact, runtime: Runtime, work: Work, source: typeof seeded): Promise<Driven> {
  const program = await runtime.load(artifact);
  for (const tensor of tensorsOf(work)) {
    const isZero = tensor.low === 0 && tensor.high === 0; // as all state is at first
    if (tensor.role !== 'input' && !isZero) await program.state.write(tensor.name, kept(tensor, source(tensor)));
  }
  return driveProgram(program, work, source);
}

/** Numbers as the program keeps them. */
function kept({ stored }: Named, data: ir.Data): ir.Data {
  return stored ? ir.dataFrom(stored, data) : data;
}
