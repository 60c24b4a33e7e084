/** The reference itself against torch: what every backend is held against must first be right. */
import type { Tensor, TensorData } from '@sinter/ir';
import { evaluate, graph, input, vjp } from '@sinter/ir';
import { expect, test } from 'vitest';
import type { Golden } from '../src/goldens.ts';
import { callGolden, goldens } from '../src/goldens.ts';

/** Reals may differ by 2e-6 of themselves and 5e-7 of the largest number around; all else must be the same. */
function hold(what: string, found: TensorData, wanted: TensorData, scale: number): void {
  expect(found.shape, what).toEqual(wanted.shape);
  const exact = !(wanted.data instanceof Float32Array);
  wanted.data.forEach((w: number, i: number) => {
    const f = found.data[i]!;
    const same =
      f === w ||
      (Number.isNaN(f) && Number.isNaN(w)) ||
      (!exact && Math.abs(f - w) <= 2e-6 * Math.abs(w) + 5e-7 * scale);
    if (!same) throw new Error(`${what}, element ${i}: ${f}, torch has ${w}`);
  });
}

function check(golden: Golden): void {
  const operands = golden.inputs.map((x, i) => input(`x${i}`, x.shape, x.dtype));
  const out = callGolden(golden, operands);
  const { cotangent, gradients } = golden;
  const outputs: Record<string, Tensor> = { out };
  const wrt = operands.filter((_, i) => gradients?.[i]);
  if (cotangent && wrt.length > 0)
    vjp([out], [input('ct', golden.output.shape)], wrt).forEach((g, i) => {
      outputs[(wrt[i]!.attrs as { name: string }).name] = g;
    });
  const g = graph(golden.op, { outputs });
  const all: Record<string, TensorData> = Object.fromEntries(golden.inputs.map((x, i) => [`x${i}`, x]));
  if (cotangent) all['ct'] = cotangent;
  const found = evaluate(g, Object.fromEntries(Object.keys(g.inputs).map((name) => [name, all[name]!]))).outputs;
  const finite = Object.values(all)
    .flatMap(({ data }) => [...data])
    .filter(Number.isFinite);
  const scale = Math.min(
    1000,
    finite.reduce((m, v) => Math.max(m, Math.abs(v)), 1e-30),
  );
  hold('the result', found['out']!, golden.output, scale);
  golden.inputs.forEach((_, i) => {
    if (found[`x${i}`]) hold(`the gradient of operand ${i}`, found[`x${i}`]!, gradients![i]!, scale);
  });
}

test.each([...new Set(goldens.map((g) => g.op))])('%s as torch has it, values and gradients', (op) => {
  goldens
    .filter((g) => g.op === op)
    .forEach((golden, i) => {
      try {
        check(golden);
      } catch (error) {
        throw new Error(
          `case ${i}, ${golden.inputs.map((x) => `${x.dtype}[${x.shape.join(', ')}]`).join(', ')} ${JSON.stringify(golden.attrs)}: ${(error as Error).message}`,
          { cause: error },
        );
      }
    });
});
