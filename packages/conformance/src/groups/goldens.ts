/** Every function, forward and backward, against values from outside: the one check that does not trust the IR's own rows. */
import type { Tensor, TensorData } from '@sinter/ir';
import { graph, input, vjp } from '@sinter/ir';
import { compareAll, scaleOf, withProgram } from '../check.ts';
import type { Golden } from '../goldens.ts';
import { callGolden, forwardTolerance, goldens } from '../goldens.ts';
import type { Suite } from '../suite.ts';

/** Cases that one graph has at most, so that a failure prints a graph that can be read. */
const batch = 24;

/** One test per function; its cases share a graph, because compiling takes longer than running. */
export function goldenTests({ describe, test, backend }: Suite): void {
  const byOp = new Map<string, Golden[]>();
  for (const golden of goldens) byOp.set(golden.op, [...(byOp.get(golden.op) ?? []), golden]);
  describe('values and gradients from torch', () => {
    for (const [op, cases] of byOp) {
      test(`${op}: ${cases.length} cases`, async () => {
        for (let i = 0; i < cases.length; i += batch) await checkGoldens(op, cases.slice(i, i + batch));
      }, 60_000);
    }
  });

  async function checkGoldens(op: string, cases: readonly Golden[]): Promise<void> {
    const inputs: Record<string, TensorData> = {};
    const outputs: Record<string, Tensor> = {};
    const wanted: Record<string, TensorData> = {};
    const give = (name: string, value: TensorData, dtype: Tensor['dtype']): Tensor => {
      inputs[name] = value;
      return input(name, value.shape, dtype);
    };
    cases.forEach((golden, i) => {
      const operands = golden.inputs.map((x, j) => give(`${i}.${j}`, x, x.dtype));
      const out = callGolden(golden, operands);
      outputs[`${i}`] = out;
      wanted[`${i}`] = golden.output;
      const { cotangent, gradients } = golden;
      if (!cotangent || !gradients) return;
      const ct = give(`${i}.cotangent`, cotangent, 'f32');
      const wrt = operands.flatMap((x, j) => (gradients[j] ? [{ x, j }] : []));
      vjp([out], [ct], wrt.map(({ x }) => x)).forEach((g, n) => {
        const { j } = wrt[n]!;
        outputs[`${i} in ${j}`] = g;
        wanted[`${i} in ${j}`] = gradients[j]!;
      });
    });
    const g = graph(op, { outputs });
    await withProgram(g, await backend(), {}, async (program) => {
      // Inputs that do not matter (of a sign's gradient) are not part of the graph.
      const given = Object.fromEntries(Object.keys(g.inputs).map((name) => [name, inputs[name]!]));
      compareAll(g, g.outputs, await program.run(given), wanted, {
        scale: Math.min(scaleOf(g, given, {}), 100),
        tolerance: (name) => (name.includes('in') ? {} : forwardTolerance(op)),
      });
    });
  }
}
