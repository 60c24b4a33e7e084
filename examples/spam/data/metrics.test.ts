import { expect, test } from 'vitest';
import { binaryMetrics, confusionTable, metricsTable } from './metrics.ts';
import { trainNaiveBayes } from './naiveBayes.ts';

const metrics = binaryMetrics([1, 1, 1, 0, 0, 0, 0, 0], [1, 1, 0, 1, 1, 0, 0, 0]);

test('the four ratios of a known case', () => {
  expect(metrics).toEqual({
    accuracy: 5 / 8,
    precision: 2 / 3,
    recall: 2 / 4,
    f1: 4 / 7,
    confusion: { truePositive: 2, falsePositive: 1, falseNegative: 2, trueNegative: 3 },
  });
});

test('ratios without cases are 0, bad input is refused', () => {
  expect(binaryMetrics([0, 0], [0, 0])).toMatchObject({ accuracy: 1, precision: 0, recall: 0, f1: 0 });
  expect(binaryMetrics([], [])).toMatchObject({ accuracy: 0 });
  expect(() => binaryMetrics([1], [1, 0])).toThrow(/1 predictions for 2 labels/);
  expect(() => binaryMetrics([2], [1])).toThrow(/example 0 has prediction 2/);
});

test('tables', () => {
  expect(`\n${metricsTable({ 'a model': metrics })}\n\n${confusionTable(metrics, ['ham', 'spam'])}\n`)
    .toMatchInlineSnapshot(`
    "
             accuracy  precision   recall       F1
    ──────────────────────────────────────────────
    a model   62.50 %    66.67 %  50.00 %  57.14 %

             taken for ham  taken for spam
    ──────────────────────────────────────
    is ham               3               1
    is spam              2               2
    "
  `);
});

test('naive Bayes on the textbook example', () => {
  // Manning et al., example 13.1: "Chinese Chinese Chinese Tokyo Japan" is about China.
  const nb = trainNaiveBayes([
    { text: 'Chinese Beijing Chinese', label: 1 },
    { text: 'Chinese Chinese Shanghai', label: 1 },
    { text: 'Chinese Macao', label: 1 },
    { text: 'Tokyo Japan Chinese', label: 0 },
  ]);
  expect(nb.vocabulary).toBe(6);
  const china = (3 / 4) * (3 / 7) ** 3 * (1 / 14) ** 2;
  const notChina = (1 / 4) * (2 / 9) ** 5;
  expect(nb.logOdds('Chinese Chinese Chinese Tokyo Japan, elsewhere')).toBeCloseTo(Math.log(china / notChina), 10);
  expect(nb.predict('Chinese Chinese Chinese Tokyo Japan')).toBe(1);
  expect(nb.predict('Tokyo')).toBe(0);
});
