/**
 * BLEU (Papineni et al. 2002): how many of the n-grams of translations are in their references, and whether they are long enough. Tokens and
 * smoothing are those of sacreBLEU (Post 2018), whose figures these are.
 */
import { checkPairs } from './chrf.ts';
import { count, overlap } from './n-grams.ts';

/** How texts become tokens: `13a` for languages with spaces, as the campaigns of WMT have it; `zh` for Chinese, where each character is one; `char`. */
export type BleuTokens = '13a' | 'zh' | 'char';

/** The options of {@link bleu}. */
export interface BleuOptions {
  /** Default: `13a`. */
  readonly tokenize?: BleuTokens;
}

const longest = 4;

/**
 * The score of translations as a whole, 0 to 100; `references` has one for each. Capital letters matter. An order of n-grams of which none is right
 * counts as half a right one, the next as a quarter, … (method 3 of Chen and Cherry 2014).
 * @throws TrainerError if there are not as many references as translations
 */
export function bleu(
  predictions: readonly string[],
  references: readonly string[],
  { tokenize = '13a' }: BleuOptions = {},
): number {
  checkPairs('bleu', predictions, references);
  const [right, all] = [new Array<number>(longest).fill(0), new Array<number>(longest).fill(0)];
  let [said, wanted] = [0, 0];
  predictions.forEach((prediction, i) => {
    const [own, other] = [tokenizers[tokenize](prediction), tokenizers[tokenize](references[i]!)];
    said += own.length;
    wanted += other.length;
    for (let n = 1; n <= longest; n++) {
      const grams = count(own, n);
      right[n - 1]! += overlap(grams, count(other, n));
      all[n - 1]! += grams.total;
    }
  });
  if (right[0] === 0 || all.includes(0)) return 0;
  let share = 1;
  const logs = right.map((hits, i) => Math.log((hits > 0 ? hits : (share /= 2)) / all[i]!));
  const brevity = said < wanted ? 1 - wanted / said : 0;
  return 100 * Math.exp(brevity + logs.reduce((a, b) => a + b) / longest);
}

const tokenizers: Readonly<Record<BleuTokens, (text: string) => string[]>> = {
  '13a': (text) => western(` ${unescaped(text)} `),
  zh: (text) => western(text.trim().replace(chinese, ' $& ')),
  char: (text) => [...text.replace(/\s+/gu, '')],
};

function unescaped(text: string): string {
  const line = text.replaceAll('<skipped>', '').replaceAll('-\n', '').replaceAll('\n', ' ');
  return line.replaceAll('&quot;', '"').replaceAll('&amp;', '&').replaceAll('&lt;', '<').replaceAll('&gt;', '>');
}

/** Punctuation stands by itself, but for points and commas within numbers. */
function western(text: string): string[] {
  return text
    .replace(/[{-~[-` -&(-+:-@/]/gu, ' $& ')
    .replace(/([^0-9])([.,])/gu, '$1 $2 ')
    .replace(/([.,])([^0-9])/gu, ' $1 $2')
    .replace(/([0-9])(-)/gu, '$1 $2 ')
    .split(/\s+/u)
    .filter((token) => token !== '');
}

/** What sacreBLEU takes for Chinese characters: ideographs, their radicals and strokes, full-width forms, and every symbol from U+2001 to U+2A6D. */
const chinese =
  /[\u2001-\u2a6d\u2e80-\u2fdf\u2ff0-\u303f\u3100-\u312f\u31a0-\u31bf\u31c0-\u31ef\u3200-\u4db5\u4e00-\u9fbb\uf900-\ufa2d\ufa30-\ufa6a\ufa70-\ufad9\ufe10-\ufe1f\ufe30-\ufe4f\uff00-\uffef]/gu;
