/** A tour of the stages: one small model from its declaration to its numbers, each stage printed. Run it: `npm run walk`. */
import * as ir from '@sinter/ir';
import { explain, interpreter, makePlan, printKernel, printPlan, simplifyGraph } from '@sinter/compiler';
import type { Backend, Program } from '@sinter/compiler';

/** Prints the tour through `print`, running the model on `backend` (the interpreter of the loop language if not given). */
export async function walk(print: (text: string) => void, backend: Backend = interpreter()): Promise<void> {
  const stage = (n: number, title: string, text: string): void => {
    print(`── ${n}. ${title}\n\n${text.trimEnd()}\n`);
  };

  // 0. A model is a function that builds a graph. Tensors are the nodes; shapes are checked as you type.
  const x = ir.input('x', ['batch', 4]);
  const weight = ir.state('weight', [4, 3]);
  const bias = ir.state('bias', [3]);
  const y = ir.tanh(ir.add(ir.matmul(x, weight), bias));
  stage(0, 'A layer, as a graph', ir.printGraph(ir.graph('layer', { outputs: { y } })));

  // 1. Gradients are more nodes. Training is nothing but updates of state.
  const target = ir.input('target', ['batch', 3]);
  const loss = ir.mean(ir.square(ir.sub(y, target)));
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
  stage(
    4,
    'A kernel: the gradient of the bias, and its update in place',
    printKernel(plan.kernels.find((k) => k.name.startsWith('column'))!),
  );

  // 5. The plan is everything a backend needs.
  stage(5, 'The plan', printPlan(plan).split('\nkernel ')[0]!);

  // 6. Building makes bytes and needs no device; loading makes a program and needs no compiler.
  const artifact = await backend.build(plan);
  const code = Object.keys(artifact.code).join(', ');
  stage(
    6,
    'The artifact',
    `for backend '${artifact.backend}': ${artifact.kernels.length} kernels, ${artifact.steps.length} steps, code in ${code}`,
  );

  // 7. A run: inputs in, outputs out, state updated in place.
  const program: Program = await backend.load(artifact);
  await program.state.write(
    'weight',
    Float32Array.from({ length: 12 }, (_, i) => Math.sin(i)),
  );
  const batch = {
    x: { data: Float32Array.from({ length: 12 }, (_, i) => Math.cos(i * i)), shape: [3, 4] },
    target: { data: Float32Array.of(0.5, -0.5, 0, 0.2, 0.8, -0.3, 0, 0.1, 0.9), shape: [3, 3] },
  };
  const losses: string[] = [];
  for (let step = 0; step < 5; step++) losses.push((await program.run(batch)).loss!.data[0]!.toFixed(4));
  program.close();
  stage(7, 'Five steps of training', `loss ${losses.join(' → ')}`);
}
