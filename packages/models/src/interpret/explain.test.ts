import { join } from 'node:path';
import { cpu } from '@sinter/backend-cpu';
import { expect, test } from 'vitest';
import { BertForMaskedLM, BertForSequenceClassification, BertModel } from '../families/bert.ts';
import { GPT2LMHeadModel } from '../families/gpt2.ts';
import { LlamaForCausalLM } from '../families/llama.ts';
import { golden, goldens, pick } from '../goldens.test.kit.ts';
import { BertTokenizer } from '../tokenizer/auto.ts';
import { looksBack, rollout } from './attention-rollout.ts';
import { explainPrediction } from './explain.ts';
import { explanationHtml } from './explanation-html.ts';
import { gaussLegendre } from './integrated-gradients.ts';
import { logitLens } from './logit-lens.ts';

const backend = cpu({ threads: 1 });
const words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'free', 'lunch', 'at', 'noon', '<b>'];
const tokenizer = BertTokenizer.from_vocab(words);
const size = { vocab_size: 10, hidden_size: 16, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 32 };
const keys = { ...size, initializer_range: 0.3, id2label: { 0: 'ham', 1: 'spam' } };
const classifier = BertForSequenceClassification.from_config(keys, { seed: 4 });

test('integrated gradients add up to the difference that the text makes, and more steps bring them nearer', async () => {
  const explain = (steps: number) =>
    explainPrediction(classifier, tokenizer, 'free lunch at noon', { target: 'spam', steps, backend });
  const [rough, fine] = [await explain(2), await explain(24)];
  expect(fine.tokens.map(({ token }) => token)).toEqual(['[CLS]', 'free', 'lunch', 'at', 'noon', '[SEP]']);
  expect(fine.target).toEqual({ index: 1, label: 'spam' });
  const difference = Math.abs(fine.value - fine.baseline!);
  expect(difference).toBeGreaterThan(0.01);
  expect(Math.abs(fine.convergence_delta!)).toBeLessThan(1e-3 * difference);
  expect(Math.abs(fine.convergence_delta!)).toBeLessThan(Math.abs(rough.convergence_delta!));
  // Special tokens are the same at both ends.
  expect([fine.tokens[0]!.score, fine.tokens[5]!.score].map(Math.abs)).toEqual([0, 0]);
  // The value is the logit, and that of the other label is explained as well.
  const { outputs } = await classifier.trace(tokenizer(['free lunch at noon'], { return_tensors: 'i32' }), { backend });
  expect(fine.value).toBeCloseTo(outputs['logits']!.data[1]!, 4);
  const best = await explainPrediction(classifier, tokenizer, 'free lunch at noon', { backend });
  expect(best.value).toBeCloseTo(Math.max(...outputs['logits']!.data), 4);
});

test('explains masked tokens, next tokens, and by embeddings of 0', async () => {
  const masked = BertForMaskedLM.from_config({ ...size, initializer_range: 0.3 });
  const filled = await explainPrediction(masked, tokenizer, 'free [MASK] at noon', { baseline: 'mask', backend });
  expect(words).toContain(filled.target.label);
  expect(Math.abs(filled.convergence_delta!)).toBeLessThan(1e-3 * Math.max(1, Math.abs(filled.value)));
  const gpt2 = GPT2LMHeadModel.from_config({ vocab_size: 10, n_positions: 16, n_embd: 16, n_layer: 1, n_head: 2 });
  const next = await explainPrediction(gpt2, tokenizer, 'free lunch', { baseline: 'zero', target: 7, backend });
  expect(next.target.label).toBe('at');
  expect(Math.abs(next.convergence_delta!)).toBeLessThan(0.02);
});

test('attention rollout: shares of tokens in the state that decides', async () => {
  const probs = (rows: number[][][]) => ({ data: Float32Array.from(rows.flat(2)), shape: [1, rows.length, 2, 2] });
  const first = probs([
    [
      [1, 0],
      [0.5, 0.5],
    ],
    [
      [1, 0],
      [0.1, 0.9],
    ],
  ]);
  const second = probs([
    [
      [0.2, 0.8],
      [0, 1],
    ],
    [
      [0.4, 0.6],
      [0, 1],
    ],
  ]);
  // Layers are [[1, 0], [0.15, 0.85]] and [[0.65, 0.35], [0, 1]].
  const flow = rollout([first, second]);
  [0.65 + 0.35 * 0.15, 0.35 * 0.85, 0.15, 0.85].forEach((x, i) => expect(flow.flat()[i]).toBeCloseTo(x, 6));
  expect([looksBack([first]), looksBack([first, second])]).toEqual([true, false]);
  const shares = await explainPrediction(classifier, tokenizer, 'free lunch', { method: 'attention_rollout', backend });
  expect(shares.tokens.reduce((sum, { score }) => sum + score, 0)).toBeCloseTo(1, 5);
  expect(shares.convergence_delta).toBeUndefined();
});

test('as a page that loads nothing and shows text as text', async () => {
  const html = explanationHtml({
    method: 'integrated_gradients',
    tokens: [
      { id: 9, token: '<b>', score: 2 },
      { id: 5, token: 'a"&', score: -1 },
    ],
    target: { index: 0, label: '<i>' },
    value: 1,
    baseline: 0,
    convergence_delta: 1e-5,
  });
  expect(html).toContain('<span class="for" style="--s:100%" title="2.00">&lt;b&gt;</span>');
  expect(html).toContain('<span class="against" style="--s:50%" title="-1.00">a&quot;&amp;</span>');
  expect(html).toContain('<title>&lt;i&gt;</title>');
  expect(html).not.toMatch(/<script|https?:|<b>|<i>/);
  expect(html).toContain('color-scheme: light dark');
});

test('says what it cannot explain', async () => {
  const explain = (options: Parameters<typeof explainPrediction>[3]) =>
    explainPrediction(classifier, tokenizer, 'free', { backend, ...options });
  await expect(explain({ target: 'eggs' })).rejects.toThrow(/"eggs".*labels are ham, spam/);
  await expect(explain({ target: 2 })).rejects.toThrow(/the labels are ham, spam/);
  await expect(explain({ steps: 0 })).rejects.toThrow(/steps is 0/);
  const bare = BertModel.from_config(size);
  await expect(explainPrediction(bare, tokenizer, 'free', { backend })).rejects.toThrow(/BertModel has no logits/);
  await expect(logitLens(classifier, tokenizer(['free'], { return_tensors: 'i32' }), { backend })).rejects.toThrow(
    /no lens/,
  );
});

test('places and weights integrate polynomials exactly', () => {
  const integral = gaussLegendre(5).reduce((sum, { at, weight }) => sum + weight * at ** 9, 0);
  expect(integral).toBeCloseTo(1 / 10, 12);
});

test('the last layer says what the model says, and those before something else', async () => {
  const model = await LlamaForCausalLM.from_pretrained(join(goldens, 'tiny-llama'));
  const expected = await golden('tiny-llama.expected.safetensors');
  const layers = await logitLens(model, pick(expected, ['input_ids', 'attention_mask']), { top: 3, backend });
  expect(layers.map(({ name }) => name)).toEqual(['model.layers.0.hidden', 'model.layers.1.hidden']);
  const [first, last] = layers as [(typeof layers)[0], (typeof layers)[0]];
  const logits = Array.from(expected['logits']!.data.slice(700, 800));
  const order = logits.map((logit, token) => [logit, token] as const).sort((a, b) => b[0] - a[0]);
  expect([...last.tokens.data.slice(21, 24)]).toEqual(order.slice(0, 3).map(([, token]) => token));
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
  order
    .slice(0, 3)
    .forEach(([logit], i) => expect(last.probabilities.data[21 + i]).toBeCloseTo(Math.exp(logit) / total, 5));
  expect(first.tokens.data).not.toEqual(last.tokens.data);
});
