/** Drives Sinter on any backend. Runs in Node and in a page. */
import { compile, type Backend } from '@sinter/compiler';
import * as ir from '@sinter/ir';
import type { Driven } from '../harness/serve.ts';
import type { Data } from '../harness/values.ts';
import { materialize, type Programs, type Work } from '../harness/work.ts';

/** Params are the program's state; inputs are handed over and the output is copied out in every run. */
export async function driveSinter(
  backend: Backend,
  work: Work,
  program: NonNullable<Programs['sinter']>,
): Promise<Driven> {
  const inputs: Record<string, ir.TensorData> = {};
  const state = new Map<string, Data>();
  const lookup = materialize(work, ({ name, shape, dtype, role }, data): ir.Tensor => {
    if (role === 'input') inputs[name] = { data, shape };
    else state.set(name, data);
    return role === 'input' ? ir.input(name, shape, dtype) : ir.state(name, shape, dtype);
  });

  const { output, updates = {} } = program(ir, lookup);
  const compiled = await compile(ir.graph(work.name, { outputs: { output }, updates }), backend);
  for (const [name, data] of state) await compiled.state.write(name, data);
  state.clear();

  const run = async () => (await compiled.run(inputs))['output']?.data as Float32Array;
  return { run, output: run };
}
