/** The JavaScript backend by itself and with a BLAS: `node --conditions=@sinter/source --import tsx examples/custom-backend/measure.ts`. */
import type { Backend } from '@sinter/compiler';
import { compile } from '@sinter/compiler';
import type { Graph, Tensor, TensorData } from '@sinter/ir';
import * as ir from '@sinter/ir';
import { javascript } from './backend.js';
import { blas, openBlas } from './blas.ts';

/** The median of some runs, in milliseconds, after two that warm up. */
async function median(g: Graph, backend: Backend, inputs: Readonly<Record<string, TensorData>>): Promise<number> {
  const program = await compile(g, backend);
  const times: number[] = [];
  for (let i = 0; i < 9; i++) {
    const start = performance.now();
    await program.run(inputs);
    if (i >= 2) times.push(performance.now() - start);
  }
  program.close();
  return times.sort((a, b) => a - b)[3]!;
}

const some = (...shape: number[]): TensorData => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i)),
});

/** One layer as MiniLM has it: 384 wide, 12 heads. */
function layer(): Graph {
  const x = ir.input('x', ['batch', 'seq', 384]);
  const linear = (t: Tensor, name: string, to: number): Tensor =>
    ir.linear(t, ir.state(`${name}.weight`, [to, t.shape.at(-1) as number]), ir.state(`${name}.bias`, [to]));
  const heads = (name: string): Tensor => ir.reshape(linear(x, name, 384), ['batch', 'seq', 12, 32]);
  const context = ir.reshape(ir.attention(heads('q'), heads('k'), heads('v')).context, ['batch', 'seq', 384]);
  const attended = ir.add(linear(context, 'out', 384), x) as Tensor;
  return ir.graph('layer', {
    outputs: { y: ir.add(linear(ir.gelu(linear(attended, 'up', 1536)), 'down', 384), attended) },
  });
}

const sgemm = await openBlas();
const product = ir.graph('product', {
  outputs: { y: ir.matmul(ir.input('a', [512, 512]), ir.input('b', [512, 512])) },
});
for (const [what, g, inputs] of [
  ['product 512 × 512 × 512', product, { a: some(512, 512), b: some(512, 512) }],
  ['layer of MiniLM, 8 × 128 tokens', layer(), { x: some(8, 128, 384) }],
] as const) {
  const plain = await median(g, javascript(), inputs);
  const fast = sgemm && (await median(g, blas(sgemm), inputs));
  console.log(
    `${what}: ${plain.toFixed(1)} ms${fast ? `, with a BLAS ${fast.toFixed(1)} ms (${(plain / fast).toFixed(0)} ×)` : ''}`,
  );
}
