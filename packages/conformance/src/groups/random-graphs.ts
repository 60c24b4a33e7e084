/**
 * Random graphs: the evaluator, the plan as the loop interpreter runs it (lifetimes in one arena, grids in random order),
 * and the backend agree, with fusion and without. A failure says which of the last two is wrong, and prints the graph.
 */
import type { Region } from '@sinter/compiler';
import { makePlan, planRunner } from '@sinter/compiler';
import * as ir from '@sinter/ir';
import fc from 'fast-check';
import { compareAll, readState, scaleOf, withProgram } from '../check.ts';
import type { Tolerance } from '../closeness.ts';
import type { RandomGraph } from '../random-graph.ts';
import { randomGraph } from '../random-graph.ts';
import type { Suite } from '../suite.ts';

/** Errors add up over 25 ops, and those of a gradient more. */
const tolerance = (name: string): Tolerance =>
  name.startsWith('g') ? { relative: 1e-3, absolute: 1e-4 } : { relative: 1e-4, absolute: 2e-5 };
/** How many tests the runs are spread over, so that each is short. */
const parts = 10;

/** Half of the graphs are fused, half are not. */
export function randomGraphTests({ describe, test, backend, runs, seed }: Suite): void {
  describe('random graphs', () => {
    for (let part = 0; part < parts; part++) {
      const numRuns = Math.ceil(runs / parts);
      const fuse = part % 2 === 0;
      test(`${numRuns} graphs, ${fuse ? 'fused' : 'not fused'}, seed ${seed * 1000 + part}`, async () => {
        const on = await backend();
        await fc.assert(
          fc.asyncProperty(randomGraph(), async ({ graph: g, runs: cases, state }) => {
            const claims = on.claims && ((region: Region): boolean => on.claims!(region));
            const plan = makePlan(g, on.target, { fuse, ...(claims && { claims }) }).plan;
            const interpret = planRunner(plan, { arena: true, seed: 3 });
            await withProgram(g, on, { fuse }, async (program) => {
              for (const [name, { data }] of Object.entries(state)) await program.state.write(name, data);
              let before: RandomGraph['state'] = state;
              for (const { inputs, sizes } of cases) {
                const given = Object.fromEntries(Object.keys(g.inputs).map((name) => [name, inputs[name]!]));
                const wanted = ir.evaluate(g, given, before, sizes);
                const after = { ...before, ...wanted.updates };
                const options = { scale: Math.max(1, scaleOf(g, given, before)), tolerance };
                const dataOf = (values: RandomGraph['state']): Record<string, ir.Data> =>
                  Object.fromEntries(Object.entries(values).map(([name, { data }]) => [name, data]));
                const shaped = (tensors: ir.Tensors, data: Readonly<Record<string, ir.Data>>): RandomGraph['state'] =>
                  Object.fromEntries(
                    Object.entries(tensors).map(([name, t]) => [
                      name,
                      { data: data[name]!, shape: ir.shapeSize(t.shape, sizes) },
                    ]),
                  );
                const planned = interpret({ inputs: dataOf(given), state: dataOf(before), sizes });
                const what = (who: string): { what: string } => ({
                  what: `${who}, ${fuse ? 'fused' : 'not fused'}, ${JSON.stringify(sizes)}`,
                });
                compareAll(g, g.outputs, shaped(g.outputs, planned.outputs), wanted.outputs, {
                  ...options,
                  ...what('the plan, interpreted'),
                });
                compareAll(g, g.state, shaped(g.state, planned.state), after, {
                  ...options,
                  ...what('the plan, interpreted'),
                });
                // A size that no input has cannot be given to a program.
                if (!sizesAreGiven(g)) return;
                compareAll(g, g.outputs, await program.run(given), wanted.outputs, { ...options, ...what(on.name) });
                compareAll(g, g.state, await readState(program, g), after, { ...options, ...what(on.name) });
                before = after;
              }
            });
          }),
          { numRuns, seed: seed * 1000 + part, endOnFailure: false },
        );
      }, 120_000);
    }
  });
}

function sizesAreGiven(g: ir.Graph): boolean {
  const given = new Set(Object.values(g.inputs).flatMap((t) => t.shape));
  return ir.graphDims(g).every((name) => given.has(name));
}
