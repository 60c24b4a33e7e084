/**
 * Beam search: for each prompt the most probable texts are written side by side, and those that ended are kept by their score. Step by step what
 * Hugging Face's `BeamSearchScorer` does; with `do_sample` the candidates of each step are drawn.
 */
import type { Generation } from './config.ts';
import { drawSeveral, largest, warp } from './draw.ts';
import type { Prompts } from './prompts.ts';
import { applyRules, logSoftmax } from './rules.ts';
import type { Scores, Session, Text } from './session.ts';
import { begin } from './writing.ts';
import type { Telling } from './writing.ts';

/** A text that ended. */
interface Ended {
  readonly tokens: readonly number[];
  /** Its log probability by its length. */
  readonly score: number;
}

/** The best texts of one prompt so far. */
interface Best {
  texts: readonly Ended[];
  /** The least score among them once there are as many as beams; a better text takes its place. */
  worst: number;
  isDone: boolean;
}

/** What a search found. */
export interface Found {
  /** `num_return_sequences` texts for each prompt, the best first; without the token that ended them. */
  readonly texts: readonly Ended[];
  /** The scores of every token at each step, if asked for. */
  readonly steps: readonly Scores[];
}

/** Searches. */
export async function search(session: Session, prompts: Prompts, telling: Telling): Promise<Found> {
  const { rules, random, stops, isOver } = telling;
  const { num_beams: beams, do_sample, eos, max_length } = rules;
  const { width } = prompts;
  const candidates = Math.max(2, 1 + eos.length) * beams;
  const best = prompts.texts.map((): Best => ({ texts: [], worst: 1e9, isDone: false }));
  const steps: Scores[] = [];
  let { texts, scores } = await begin(session, prompts.texts, beams);
  // At first all beams of a prompt are the same: only one of them counts.
  let sums = Float32Array.from(texts, (_, row) => (row % beams === 0 ? 0 : -1e9));
  for (;;) {
    texts.forEach(({ tokens }, row) => {
      const own = scores.of(row);
      logSoftmax(own);
      applyRules(own, tokens, width, rules);
      if (do_sample) warp(own, rules, eos.length + 1);
    });
    if (rules.output_scores) steps.push({ ...scores, all: scores.all.slice() });
    const { vocabulary } = scores;
    texts.forEach((_, row) => {
      const own = scores.of(row);
      const sum = sums[row]!;
      for (let i = 0; i < vocabulary; i++) own[i]! += sum;
    });
    const rows = Int32Array.from(texts, (_, row) => row);
    const next = new Int32Array(texts.length).fill(rules.pad);
    const nextSums = new Float32Array(texts.length);
    best.forEach((own, prompt) => {
      if (own.isDone) return;
      const first = prompt * beams;
      const all = scores.all.subarray(first * vocabulary, (first + beams) * vocabulary);
      const ranked = do_sample ? drawSeveral(all, candidates, random) : largest(all, candidates);
      let beam = 0;
      for (let rank = 0; beam < beams && rank < ranked.length; rank++) {
        const at = ranked[rank]!;
        const [row, token, sum] = [first + Math.floor(at / vocabulary), at % vocabulary, all[at]!];
        if (eos.includes(token)) {
          const { tokens } = texts[row]!;
          if (rank < beams) keep(own, { tokens, score: scoreOf(sum, tokens.length + 1 - width, rules) }, beams);
          continue;
        }
        rows[first + beam] = row;
        next[first + beam] = token;
        nextSums[first + beam] = sum;
        beam++;
      }
      const length = texts[0]!.tokens.length + 1 - width;
      own.isDone = cannotImprove(own, all[ranked[0]!]!, length, max_length - width, rules);
    });
    texts = Array.from(rows, (row, i): Text => ({ ...texts[row]!, tokens: [...texts[row]!.tokens, next[i]!] }));
    sums = nextSums;
    const isAtEnd = ({ tokens }: Text): boolean => eos.includes(tokens.at(-1)!) || stops(tokens);
    const total = texts[0]!.tokens.length;
    if (best.every(({ isDone }) => isDone) || total >= max_length || texts.every(isAtEnd) || isOver()) break;
    await session.move(rows);
    scores = await session.scores(texts);
  }
  best.forEach((own, prompt) => {
    for (let row = prompt * beams; !own.isDone && row < (prompt + 1) * beams; row++) {
      const { tokens } = texts[row]!;
      keep(own, { tokens, score: scoreOf(sums[row]!, tokens.length - width, rules) }, beams);
    }
  });
  const given = best.flatMap((own) =>
    [...own.texts]
      .sort((a, b) => a.score - b.score)
      .reverse()
      .slice(0, rules.num_return_sequences),
  );
  return { texts: given, steps };
}

function scoreOf(sum: number, length: number, { length_penalty }: Generation): number {
  return sum / length ** length_penalty;
}

/** Keeps a text if there is room or it is better than the worst, which makes room. */
function keep(best: Best, text: Ended, most: number): void {
  if (best.texts.length >= most && text.score <= best.worst) return;
  const all = [...best.texts, text];
  if (all.length <= most) {
    best.worst = Math.min(best.worst, text.score);
    best.texts = all;
    return;
  }
  const scores = all.map(({ score }) => score).sort((a, b) => a - b);
  const out = all.findIndex(({ score }) => score === scores[0]);
  best.texts = all.filter((_, i) => i !== out);
  best.worst = scores[1]!;
}

/** Whether no text that is being written can be better than the worst that ended. `sum` is the largest log probability of this step. */
function cannotImprove(best: Best, sum: number, length: number, most: number, rules: Generation): boolean {
  const { num_beams, early_stopping, length_penalty } = rules;
  if (best.texts.length < num_beams) return false;
  if (early_stopping === true) return true;
  // The longest text has the best score where long texts are favoured.
  const reached = early_stopping === 'never' && length_penalty > 0 ? most : length;
  return best.worst >= scoreOf(sum, reached, rules);
}
