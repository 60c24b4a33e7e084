/** How well masked tokens and next sentences are told in texts that were never read, beside guesses that only count. */
import type { Backend } from '@sinter/compiler';
import type { BertForPreTraining, PreTrainedTokenizer } from '@sinter/models';
import { dataCollatorForLanguageModeling } from '@sinter/trainer';
import type { Guess } from './guesses.ts';
import type { Pair } from './pairs.ts';

/** Shares of what was told right. */
export interface HeldOut {
  /** Of tokens that the model saw as `[MASK]`. */
  readonly masked: number;
  /** Of the same tokens, by each guess. */
  readonly guessed: Readonly<Record<string, number>>;
  /** Of pairs. */
  readonly next: number;
  /** How many tokens those were. */
  readonly tokens: number;
}

/** Reads the pairs, 15 % of their tokens hidden, the same ones each time. */
export async function readHeldOut(
  model: BertForPreTraining,
  tokenizer: PreTrainedTokenizer,
  pairs: readonly Pair[],
  guesses: Readonly<Record<string, Guess>>,
  backend: Backend,
): Promise<HeldOut> {
  const collate = dataCollatorForLanguageModeling({ inputs: model.inputs, dims: model.dims, tokenizer });
  const special = new Set(tokenizer.all_special_ids);
  let [tokens, masked, next] = [0, 0, 0];
  const guessed: Record<string, number> = Object.fromEntries(Object.keys(guesses).map((name) => [name, 0]));
  await using compiled = await model.compile(backend);
  for (let from = 0; from < pairs.length; from += 32) {
    const some = pairs.slice(from, from + 32);
    const { labels, next_sentence_label, ...told } = await collate(
      some,
      some.map((_, i) => from + i),
    );
    const { prediction_logits, seq_relationship_logits } = await compiled(told);
    const ids = told['input_ids']!.data;
    labels!.data.forEach((label, i) => {
      if (label === -100 || ids[i] !== tokenizer.mask_token_id) return;
      tokens++;
      masked += Number(largest(prediction_logits!.data as Float32Array, i, model.config.vocab_size) === label);
      const before = special.has(ids[i - 1]!) ? undefined : ids[i - 1];
      for (const [name, guess] of Object.entries(guesses)) guessed[name]! += Number(guess(before) === label);
    });
    next_sentence_label!.data.forEach((label, i) => {
      next += Number(largest(seq_relationship_logits!.data as Float32Array, i, 2) === label);
    });
  }
  const shares = Object.entries(guessed).map(([name, right]) => [name, right / tokens]);
  return { masked: masked / tokens, guessed: Object.fromEntries(shares), next: next / pairs.length, tokens };
}

/** Where the largest of the `row`th `width` numbers is. */
function largest(data: Float32Array, row: number, width: number): number {
  let best = 0;
  for (let i = 1; i < width; i++) if (data[row * width + i]! > data[row * width + best]!) best = i;
  return best;
}
