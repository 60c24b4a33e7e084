import { expect, test } from 'vitest';
import { jsonOutputs, scores, showOutputs } from './answer.ts';

const logits = { shape: [2, 2], data: Float32Array.of(0, Math.log(3), 5, 5) };
const id2label = { 0: 'ham', 1: 'spam' };

test('labels with probabilities, the likeliest first', () => {
  const [first, second] = scores(logits, { id2label, problem_type: null });
  expect(first!.map(({ label }) => label)).toEqual(['spam', 'ham']);
  expect(first![0]!.score).toBeCloseTo(0.75, 6);
  expect(second!.map(({ score }) => score)).toEqual([0.5, 0.5]);
});

test('several labels at once are probabilities of their own; a regression is its value', () => {
  const [row] = scores(logits, { id2label, problem_type: 'multi_label_classification' });
  expect(row!.map(({ score }) => score)).toEqual([expect.closeTo(0.75, 6), 0.5]);
  const value = { shape: [1, 1], data: Float32Array.of(-2.5) };
  expect(scores(value, { id2label: { 0: 'LABEL_0' }, problem_type: null })).toEqual([
    [{ label: 'LABEL_0', score: -2.5 }],
  ]);
});

test('half precision is shown as the numbers it stands for', () => {
  const ports = { y: { shape: [9], dtype: 'f16', buffer: 0 } } as const;
  const outputs = { y: { shape: [9], data: new Uint16Array(9).fill(0x3c00) } };
  expect(jsonOutputs(outputs, ports)).toEqual({ y: { dtype: 'f16', shape: [9], data: new Array(9).fill(1) } });
  expect(showOutputs(outputs, ports)).toBe('y: f16[9]\n  1, 1, 1, 1, 1, 1, 1, 1, … 1 more (all with --json)');
});
