/** Sinter on its CPU backend: params are the program's state, inputs are handed over and the output copied out in every run. */
import { readFileSync } from 'node:fs';
import { cpu } from '@sinter/backend-cpu';
import { compile } from '@sinter/compiler';
import * as ir from '@sinter/ir';
import { serve } from '../harness/serve.ts';
import type { Data } from '../harness/values.ts';
import { materialize } from '../harness/work.ts';

await serve('sinter', async (work, program, threads) => {
  const inputs: Record<string, ir.TensorData> = {};
  const params = new Map<string, Data>();
  const lookup = materialize(work, ({ name, shape, dtype, isInput }, data): ir.Tensor => {
    if (!isInput) params.set(name, data);
    else inputs[name] = { data, shape };
    return isInput ? ir.input(name, shape, dtype) : ir.state(name, shape, dtype);
  });

  const { output, updates = {} } = program(ir, lookup);
  const compiled = await compile(ir.graph(work.name, { outputs: { output }, updates }), cpu({ threads }));
  for (const [name, data] of params) await compiled.state.write(name, data);
  params.clear();

  const run = async () => (await compiled.run(inputs))['output']?.data as Float32Array;
  const manifest = readFileSync(new URL('../../packages/backend-cpu/package.json', import.meta.url), 'utf8');
  return { version: `sinter ${(JSON.parse(manifest) as { version: string }).version}`, run, output: run };
});
