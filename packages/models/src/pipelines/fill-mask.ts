/** Filling masks: which tokens may stand where a text has the mask token. */
import { PipelineError } from './errors.ts';
import { checkCount } from './runner.ts';
import { softmax, topIndices } from './scores.ts';
import type { ReadingTask, TaskContext } from './task.ts';

/** The options of a call. */
export interface FillMaskOptions {
  /** How many tokens of each mask, the most likely first. Default: 5. */
  readonly top_k?: number | undefined;
  /** The only words to choose from; of a word of several tokens the first counts. Default: all tokens. */
  readonly targets?: string | readonly string[] | undefined;
  /** Given, a text may have several masks, and its result is a list for each of them. Default: a text has one mask. */
  readonly every_mask?: true | undefined;
}

/** A text with a token in place of its mask. */
export interface FilledMask {
  /** A probability. */
  readonly score: number;
  /** The id of the token. */
  readonly token: number;
  /** The token as text. */
  readonly token_str: string;
  /** The whole text; other masks remain. */
  readonly sequence: string;
}

/** The task, for a model that tells masked tokens. @throws PipelineError for a tokenizer without a mask token */
export function fillMask({
  tokenizer,
  encode,
}: TaskContext): ReadingTask<string, FillMaskOptions, FilledMask[][], FilledMask[] | FilledMask[][]> {
  const { mask_token, mask_token_id } = tokenizer;
  if (mask_token_id === undefined)
    throw new PipelineError('fill-mask needs a tokenizer with a mask token; this one has none');

  /** The ids of the words to choose from. */
  const idsOf = (targets: string | readonly string[]): number[] => {
    const words = typeof targets === 'string' ? [targets] : targets;
    const vocabulary = tokenizer.get_vocab();
    const ids = words.flatMap(
      (word) => vocabulary.get(word) ?? tokenizer.encode(word, { add_special_tokens: false })[0] ?? [],
    );
    if (ids.length === 0) throw new PipelineError('targets has no word that the tokenizer knows; name at least one');
    return [...new Set(ids)];
  };

  return {
    outputs: ['logits'],
    rows(text, { every_mask }) {
      const row = encode(text);
      const masks = row.input_ids.filter((id) => id === mask_token_id).length;
      if (masks === 0) throw new PipelineError(`fill-mask: there is no ${mask_token} in '${text}'`);
      if (masks > 1 && !every_mask)
        throw new PipelineError(
          `fill-mask: there are ${masks} ${mask_token} in '${text}'; say every_mask: true for a list for each of them`,
        );
      return [row];
    },
    read({ logits }, { input_ids }, { top_k = 5, targets }) {
      const size = logits!.length / input_ids.length;
      const chosen = targets === undefined ? undefined : idsOf(targets);
      const masks = [...input_ids.keys()].filter((at) => input_ids[at] === mask_token_id);
      return masks.map((at) => {
        const all = softmax(logits!.subarray(at * size, (at + 1) * size));
        const scores = chosen ? chosen.map((id) => all[id]!) : all;
        return topIndices(scores, checkCount('top_k', top_k)).map((i) => {
          const token = chosen ? chosen[i]! : i;
          // Other masks would go with the special tokens.
          const sequence = tokenizer.decode(input_ids.with(at, token), { skip_special_tokens: masks.length === 1 });
          return { score: scores[i]!, token, token_str: tokenizer.decode([token]), sequence };
        });
      });
    },
    result: (_, [filled], __, { every_mask }) => (every_mask ? filled! : filled![0]!),
  };
}
