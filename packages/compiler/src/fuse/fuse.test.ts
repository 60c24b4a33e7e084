/** What is stored, and in how many kernels, where models spend their memory. */
import {
  contract,
  crossEntropy,
  embedding,
  add,
  gather,
  gradients,
  graph,
  input,
  iota,
  layerNorm,
  state,
  sub,
} from '@sinter/ir';
import type { Tensor } from '@sinter/ir';
import { expect, test } from 'vitest';
import { makePlan } from '../index.ts';
import { interpreter } from '../loop/backend.ts';

const { target } = interpreter();

test('an embedding with its positions and layer norm is one kernel', () => {
  const ids = input('ids', ['batch', 'seq'], 'i32');
  const words = embedding(ids, state('words', [1000, 64]));
  const places = gather(state('places', [128, 64]), iota(['seq'], 0));
  const x = layerNorm(add(words, places) as Tensor, state('gamma', [64]), state('beta', [64]), 1e-5);
  const { plan, fused } = makePlan(graph('embedding', { outputs: { x } }), target);
  expect(fused.groups.map(({ kind }) => kind)).toEqual(['row']);
  expect(plan.steps).toHaveLength(1);
});

test('a loss over a large vocabulary stores the logits and their gradient, and nothing else of their size', () => {
  const [tokens, vocabulary, size] = [64, 5000, 32];
  const [x, w] = [state('x', [tokens, size]), state('w', [vocabulary, size])];
  const loss = crossEntropy(contract('nh,vh->nv', x, w), input('labels', [tokens], 'i32'));
  const [dx, dw] = gradients(loss, [x, w]);
  const updates = { x: sub(x, dx!) as Tensor, w: sub(w, dw!) as Tensor };
  const planned = makePlan(graph('loss', { outputs: { loss }, updates }), target);
  const large = [...planned.fused.stored.keys()].filter(
    ({ shape, op }) => shape.join() === '64,5000' && op.kind !== 'view',
  );
  expect(large.map(({ op }) => op.kind)).toEqual(['contract', 'map']);
});
