/** A tour of the stages: one small model from its declaration to its numbers, each stage printed. Run it: `npm run walk`. */
import * as ir from '@sinter/ir';
import { explain, interpreter, makePlan, printKernel, printPlan, simplifyGraph } from '@sinter/compiler';
import type { Backend, Program } from '@sinter/compiler';

/** Prints the tour through `print`, running the model on `backend` (the interpreter of the loop language if not given). */
export async function walk(print: (text: string) => void, backend: Backend = interpreter()): Promise<void> {
  const stage = (n: number, title: string, text: string): void => { print(`── ${n}. ${title}\n\n${text.trimEnd()}\n`); };

  // 0. A model is a function that builds a graph. Tensors are the nodes; shapes are checked as you type.
  const x = ir.input('x', ['batch', 4]);
  const weight = ir.state('weight', [4, 3]);
  const bias = ir.state('bias', [3]);
  const labels = ir.input('labels', ['batch'], 'i32');
  const probabilities = ir.softmax(ir.add(ir.matmul(x, weight), bias));
  const loss = ir.crossEntropy(ir.add(ir.matmul(x, weight), bias), labels);
  const forward = ir.graph('classifier', { outputs: { probabilities } });
  stage(0, 'The graph of a classifier', ir.printGraph(forward));

  // 1. Gradients are more nodes. Training is nothing but updates of state.
  const [gradWeight, gradBias] = ir.gradients(loss, [weight, bias]);
  const train = ir.graph('train', {
    outputs: { loss },
    updates: { weight: ir.sub(weight, ir.mul(gradWeight, 0.5)), bias: ir.sub(bias, ir.mul(gradBias, 0.5)) },
  });
  stage(1, 'One step of training, as a graph', ir.printGraph(train));

  // 2. Passes simplify it: graph to graph.
  stage(2, 'The same, simplified', ir.printGraph(simplifyGraph(train)));

  // 3 and 4. Fusion decides what is stored; each group becomes a kernel in the loop language.
  const planned = makePlan(train, backend.target);
  stage(3, 'What is computed together, and what for', String(explain(planned, { batch: 8 })));
  const { plan } = planned;
  stage(4, 'A kernel: softmax and its gradient, row by row', printKernel(plan.kernels.find((k) => k.name.startsWith('row'))!));

  // 5. The plan is everything a backend needs.
  stage(5, 'The plan', printPlan({ ...plan, kernels: [] }));

  // 6. Building makes bytes and needs no device; loading makes a program and needs no compiler.
  const artifact = await backend.build(plan);
  const size = Object.values(artifact.code).reduce((sum, code) => sum + code.length, 0);
  stage(6, 'The artifact', `${artifact.kernels.length} kernels, ${artifact.steps.length} steps, code of ${size > 0 ? 'some kilobytes' : 'no bytes'} for backend '${artifact.backend}'`);

  // 7. A run: inputs in, outputs out, state updated in place.
  const program: Program = await backend.load(artifact);
  await program.state.write('weight', Float32Array.from({ length: 12 }, (_, i) => Math.sin(i)));
  const batch = {
    x: { data: Float32Array.from({ length: 12 }, (_, i) => Math.cos(i * i)), shape: [3, 4] },
    labels: { data: Int32Array.of(0, 2, 1), shape: [3] },
  };
  const losses: string[] = [];
  for (let step = 0; step < 5; step++) losses.push((await program.run(batch)).loss!.data[0]!.toFixed(4));
  program.close();
  stage(7, 'Five steps of training', `loss ${losses.join(' → ')}`);
}
