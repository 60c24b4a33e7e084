import { beforeAll, describe, expect, test } from 'vitest';
import { labelNames, readCorpus } from './corpus.ts';
import { jaccard, shingles } from './duplicates.ts';
import { dropDuplicates, loadMails } from './mails.ts';
import type { Mail, MailData } from './mails.ts';
import { binaryMetrics } from './metrics.ts';
import { trainNaiveBayes } from './naiveBayes.ts';
import { trainTestSplit } from './split.ts';

describe('the real corpus', () => {
  let data: MailData;
  let all: Mail[];
  beforeAll(async () => {
    data = await loadMails();
    all = [...data.train, ...data.test];
  }, 60_000);

  test('has the mails that it should have', () => {
    expect(data.counts).toEqual({ read: 6046, empty: 0, duplicates: 976, contradictory: 0 });
    expect(all).toHaveLength(6046 - 976);
    const spam = (mails: readonly Mail[]) => mails.filter(({ label }) => labelNames[label] === 'spam').length;
    expect([data.train.length, spam(data.train)]).toEqual([4056, 957]);
    expect([data.test.length, spam(data.test)]).toEqual([1014, 239]);
    expect(all.every(({ subject, body, text }) => text === `${subject}\n${body}`.trim() && /\p{L}/u.test(text))).toBe(
      true,
    );
  });

  test('no mail, and nothing like it, is in both sets', () => {
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    // By brute force over the mails that share a long run of words, independently of how duplicates were found.
    const triples = (mails: readonly Mail[]) => mails.map(({ text }) => shingles(text));
    const [train, test] = [triples(data.train), triples(data.test)];
    const holders = new Map<number, number[]>();
    train.forEach((set, i) => set.forEach((hash) => void (holders.get(hash)?.push(i) ?? holders.set(hash, [i]))));
    let nearest = 0;
    for (const set of test) {
      const common = new Map<number, number>();
      for (const hash of set) for (const i of holders.get(hash) ?? []) common.set(i, (common.get(i) ?? 0) + 1);
      for (const [i, count] of common) {
        if (count > set.length / 2) nearest = Math.max(nearest, jaccard(train[i]!, set));
      }
    }
    expect(nearest).toBeLessThan(0.72);
  });

  test('the text has no headers of its mail, no list footers, no markup', async () => {
    const mails = new Map(all.map((mail) => [mail.id, mail]));
    for await (const { id, bytes } of readCorpus()) {
      const messageId = /^Message-ID:\s*(<\S{12,}>)/im.exec(Buffer.from(bytes).toString('latin1'))?.[1];
      if (messageId && mails.get(id)?.body.includes(messageId)) expect.fail(`${id} has its own Message-ID in its body`);
    }
    const forbidden = [
      /^[> ]*(?:X-[\w-]+|Received|Return-Path|Delivered-To|List-Id): /im,
      /spamassassin\.taint\.org|DeathToSpam|\/listinfo\//i,
      /<(?:html|body|table)\b[^>]*>[^]*<\/(?:html|body|table)>/i,
      /(?!\n)[\p{Cc}\p{Cf}\ufffd]| {2}|\n{2}/u,
    ];
    for (const pattern of forbidden) {
      expect(
        all.filter(({ text }) => pattern.test(text)).map(({ id }) => id),
        `${pattern}`,
      ).toEqual([]);
    }
  });

  test('another seed gives other sets of the same size from the same mails', async () => {
    const ids = (mails: readonly Mail[]) => mails.map(({ id }) => id);
    const again = trainTestSplit(all, { seed: 7 });
    expect(again.test).toHaveLength(data.test.length);
    expect(ids(again.test).sort()).not.toEqual(ids(data.test).sort());
    expect([...ids(again.test), ...ids(again.train)].sort()).toEqual(ids(all).sort());
    expect(ids((await loadMails()).test)).toEqual(ids(data.test));
  });

  test('naive Bayes tells them apart, far better than guessing and not without fault', () => {
    const { predict } = trainNaiveBayes(data.train);
    const { accuracy, f1 } = binaryMetrics(
      data.test.map(({ text }) => predict(text)),
      data.test.map(({ label }) => label),
    );
    expect(accuracy).toBeGreaterThan(0.96);
    expect(f1).toBeGreaterThan(0.92);
    expect(accuracy).toBeLessThan(1);
  });
});

describe('dropping duplicates', () => {
  const letter = (name: string, amount: number) =>
    `Dear ${name}, you have won ${amount} dollars in the great lottery of this year and we ask you to send us your bank details at once`;
  const other = 'The meeting is moved to Tuesday at noon, please bring the figures of the last quarter with you';

  test('keeps the first of each group', () => {
    const mails = [letter('Ann', 100), other, letter('Bob', 2_000)].map((text) => ({ text, label: 1 }) as const);
    expect(dropDuplicates(mails)).toEqual({ kept: mails.slice(0, 2), duplicates: 1, contradictory: 0 });
  });

  test('drops texts whose labels contradict each other', () => {
    const mails = [
      { text: letter('Ann', 1), label: 0 },
      { text: letter('Ann', 2), label: 1 },
      { text: other, label: 0 },
    ] as const;
    expect(dropDuplicates(mails)).toEqual({ kept: [mails[2]], duplicates: 0, contradictory: 2 });
  });

  test('short texts are compared as a whole', () => {
    const mails = ['hello there', 'Hello, there!', 'hello', ''].map((text) => ({ text, label: 0 }) as const);
    expect(dropDuplicates(mails).kept.map(({ text }) => text)).toEqual(['hello there', 'hello', '']);
  });

  test('similarity of sets', () => {
    expect(jaccard(Uint32Array.of(1, 2, 3, 4), Uint32Array.of(3, 4, 5))).toBe(2 / 5);
    expect(shingles('a b c d')).toHaveLength(2);
  });
});
