import { makePlan } from '@sinter/compiler';
import { graph, input, matmul, softmax, state, gelu, add } from '@sinter/ir';
import { describeCpu } from '../src/wasm/describe.ts';
import { planSource } from '../src/native/source.ts';
const x = input('x', ['n', 384], 'f32');
const w = state('w', [384, 1536], 'f32');
const b = state('b', [1536], 'f32');
const { plan } = makePlan(graph('f', { outputs: { y: softmax(gelu(add(matmul(x, w), b))) } }), {...describeCpu({threads:2,fma:true})}, { tile: { mr: 8, nr: 32 } });
process.stdout.write(planSource(plan, 16));
