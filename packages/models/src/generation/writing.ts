/** Writing token by token: the most likely token or a drawn one, for each text by itself. */
import type { Generation } from './config.ts';
import { draw, mostLikely, warp } from './draw.ts';
import type { Random } from './draw.ts';
import { guess } from './lookup.ts';
import type { Prompts } from './prompts.ts';
import { applyRules } from './rules.ts';
import type { Scores, Session, Text } from './session.ts';
import { scoresOf } from './session.ts';

/** What all ways of writing are told. */
export interface Telling {
  readonly rules: Generation;
  readonly random: Random;
  /** Whether a text is at its end, the end tokens apart: its last token completed a stop string. */
  readonly stops: (tokens: readonly number[]) => boolean;
  /** Whether nothing more should be written. */
  readonly isOver: () => boolean;
}

/** What one step wrote. */
export interface Step {
  /** A token for each text, `pad` for those that ended. */
  readonly tokens: Int32Array;
  /** The scores it was chosen by, as Hugging Face's `scores`; valid until the next step. */
  readonly scores: Scores;
}

/** Writes until every text ended or is `max_length` long; each prompt `num_return_sequences` times. */
export async function* write(session: Session, prompts: Prompts, telling: Telling): AsyncGenerator<Step, void> {
  const { rules, stops, isOver } = telling;
  const { width } = prompts;
  let { texts, scores } = await begin(session, prompts.texts, rules.num_return_sequences);
  const ended = texts.map(() => false);
  for (let total = width; ;) {
    const tokens = Int32Array.from(texts, (text, row) => {
      const token = choose(scores.of(row), text.tokens, width, telling);
      return ended[row] ? rules.pad : token;
    });
    texts = texts.map((text, row) => ({ ...text, tokens: [...text.tokens, tokens[row]!] }));
    texts.forEach((text, row) => (ended[row] ||= rules.eos.includes(tokens[row]!) || stops(text.tokens)));
    yield { tokens, scores };
    if (++total >= rules.max_length || ended.every(Boolean) || isOver()) return;
    scores = await session.scores(texts);
  }
}

/** The same for one text, several tokens at a time where what came before lets them be guessed. */
export async function* writeWithGuesses(
  session: Session,
  prompts: Prompts,
  telling: Telling,
): AsyncGenerator<Step, void> {
  const { rules, stops, isOver } = telling;
  const [text] = prompts.texts as readonly [Text];
  let tokens = text.tokens;
  let guessed: readonly number[] = [];
  for (;;) {
    const scores = await session.scores([{ ...text, tokens: [...tokens, ...guessed] }], guessed.length + 1);
    for (let i = 0; i <= guessed.length; i++) {
      const own = scores.of(i);
      const token = choose(own, tokens, prompts.width, telling);
      tokens = [...tokens, token];
      yield { tokens: Int32Array.of(token), scores: scoresOf(own, scores.vocabulary) };
      if (tokens.length >= rules.max_length || rules.eos.includes(token) || stops(tokens) || isOver()) return;
      if (token !== guessed[i]) break;
    }
    // The last token was not read yet, nor is what was read of wrong guesses of use.
    session.cut(tokens.length - 1);
    guessed = guess(tokens, rules);
  }
}

/** The scores of what follows prompts, each of which is then written `times` times: read once, then copied. */
export async function begin(
  session: Session,
  prompts: readonly Text[],
  times: number,
): Promise<{ readonly texts: readonly Text[]; readonly scores: Scores }> {
  const first = await session.scores(prompts);
  if (times === 1) return { texts: prompts, scores: first };
  const rows = Int32Array.from({ length: prompts.length * times }, (_, i) => Math.floor(i / times));
  await session.move(rows, { all: true });
  const all = new Float32Array(rows.length * first.vocabulary);
  rows.forEach((row, i) => all.set(first.of(row), i * first.vocabulary));
  return { texts: Array.from(rows, (row) => prompts[row]!), scores: scoresOf(all, first.vocabulary) };
}

/** Chooses the next token, and leaves the scores as they were when it was chosen. */
function choose(scores: Float32Array, tokens: readonly number[], prompt: number, { rules, random }: Telling): number {
  applyRules(scores, tokens, prompt, rules);
  if (!rules.do_sample) return mostLikely(scores);
  warp(scores, rules);
  return draw(scores, random);
}
