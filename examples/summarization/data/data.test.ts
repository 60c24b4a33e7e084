import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { findPython } from '../../../tools/python.ts';
import { rougeL, rougeN } from './rouge.ts';
import { ownWords, plainSubject } from './subjects.ts';

test("ROUGE of Lin's own examples", () => {
  const reference = 'police killed the gunman';
  expect(rougeL('police kill the gunman', reference).f1).toBeCloseTo(0.75);
  expect(rougeL('the gunman kill police', reference).f1).toBeCloseTo(0.5);
  expect(rougeN('police kill the gunman', reference, 2).f1).toBeCloseTo(1 / 3);
  expect(rougeN('the the the', 'the cat', 1)).toEqual({ precision: 1 / 3, recall: 1 / 2, f1: 0.4 });
  expect(rougeN('', reference, 1).f1).toBe(0);
});

const python = findPython(['rouge_score']);
test.skipIf(!python)("ROUGE is that of Google's rouge_score", () => {
  const texts = [
    'The cat sat on the mat',
    "It's 2002: new mail!",
    'on the mat the cat',
    'sat',
    'Größe & mail, mail',
    '',
  ];
  const pairs = texts.flatMap((said) => texts.map((reference) => [said, reference] as const));
  const code = [
    'import json, sys',
    'from rouge_score import rouge_scorer',
    'scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"])',
    'print(json.dumps([[s.fmeasure for s in scorer.score(b, a).values()] for a, b in json.load(sys.stdin)]))',
  ];
  const { stdout, stderr } = spawnSync(python!, ['-c', code.join('\n')], {
    input: JSON.stringify(pairs),
    encoding: 'utf8',
  });
  if (stdout === '') throw new Error(stderr);
  const ours = pairs.map(([a, b]) => [rougeN(a, b, 1).f1, rougeN(a, b, 2).f1, rougeL(a, b).f1]);
  (JSON.parse(stdout) as number[][]).forEach((scores, i) =>
    scores.forEach((score, j) => expect(ours[i]![j], JSON.stringify(pairs[i])).toBeCloseTo(score, 9)),
  );
});

test('what is not of the writer goes', () => {
  expect(plainSubject('Re: [ILUG] Fwd: New disk')).toBe('New disk');
  expect(ownWords('On Monday, Ann wrote:\n> Is it?\n> It is.\nYes,\nit is.')).toBe('Yes, it is.');
});
