/** Contractions through a BLAS, where one is installed: the suite, a model, and what is claimed. */
import { makePlan } from '@sinter/compiler';
import { testBackend } from '@sinter/conformance';
import { BertForSequenceClassification, BertTokenizer } from '@sinter/models';
import * as ir from '@sinter/ir';
import { describe, expect, test } from 'vitest';
import { javascript } from './backend.js';
import { blas, openBlas } from './blas.ts';

const sgemm = await openBlas();
const skip = Object.fromEntries(
  ['every op in every dtype', 'addressing by data', 'integers and flags', 'random numbers', 'programs', 'limits'].map(
    (group) => [group, 'is that of the JavaScript backend'],
  ),
);

describe.skipIf(!sgemm)('with a BLAS', () => {
  testBackend('JavaScript with a BLAS', () => blas(sgemm!), { describe, test, skip, runs: 100, seed: 4 });

  test('every product of BERT goes to it, and the answers stay', async () => {
    const words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'free', 'lunch', 'at', 'noon'];
    const tokenizer = BertTokenizer.from_vocab(words);
    const model = BertForSequenceClassification.from_config(
      { vocab_size: 9, hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 4, intermediate_size: 64 },
      { seed: 42 },
    );
    const products: number[] = [];
    const counted = blas((product) => {
      products.push(product.m * product.n * product.k);
      sgemm!(product);
    });
    const [plain, fast] = [await model.compile(javascript()), await model.compile(counted)];
    const texts = tokenizer(['Free lunch', 'Lunch at noon'], { padding: true, return_tensors: 'i32' });
    const [wanted, found] = [await plain(texts), await fast(texts)];
    wanted.logits!.data.forEach((v, i) => {
      expect(found.logits!.data[i]).toBeCloseTo(v, 5);
    });
    // Per layer six projections, and two products for each of 2 × 4 heads; then the pooler and the classifier.
    expect(products).toHaveLength(2 * (6 + 2 * 8) + 2);
    plain.close();
    fast.close();
  });
});

test('claims what lies in memory as a matrix product, and nothing else', () => {
  const { claims } = blas(() => undefined);
  const asked = (spec: string, a: number[], b: number[], dtype: ir.DType = 'f32'): boolean => {
    let answer = false;
    const y = ir.contract(spec, ir.input('a', a, dtype), ir.input('b', b, dtype));
    makePlan(ir.graph('g', { outputs: { y } }), javascript().target, {
      claims: (region) => (answer = claims!(region)),
    });
    return answer;
  };
  expect(asked('mk,kn->mn', [2, 3], [3, 4])).toBe(true);
  expect(asked('km,nk->nm', [3, 2], [4, 3])).toBe(true);
  expect(asked('bqhd,bkhd->bhqk', [2, 3, 4, 5], [2, 6, 4, 5])).toBe(true);
  expect(asked('bhqk,bkhd->bqhd', [2, 4, 3, 6], [2, 6, 4, 5])).toBe(true);
  expect(asked('mk,kn->mn', [2, 3], [3, 4], 'i32')).toBe(false);
  expect(asked('mkb,bkn->bmn', [2, 3, 5], [5, 3, 4])).toBe(false);
  expect(asked('mkl,lkn->mn', [2, 3, 5], [5, 3, 4])).toBe(false);
});
