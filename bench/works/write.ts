/**
 * Writing: a GPT with seeded weights reads a prompt and writes tokens, one after the other, as users of a library of models call it: `generate`.
 * Engines read the folder that writing/export.py makes.
 */
import { integers } from '../harness/values.ts';
import type { Work } from '../harness/work.ts';
import type { GptShape } from './gpt.ts';

/** Greedily `tokens` more after a prompt of `prompt` tokens. */
export function gptWrites(name: string, shape: GptShape, prompt: number, tokens: number): Work {
  const { layers, hidden, heads, vocabulary, seq } = shape;
  return {
    name: `${name} generate ${tokens} after ${prompt}`,
    place: 'cpu',
    tokens,
    params: {},
    inputs: { ids: integers([1, prompt], vocabulary) },
    programs: {
      writes: {
        tokens,
        config: { n_layer: layers, n_embd: hidden, n_head: heads, vocab_size: vocabulary, n_positions: seq },
      },
    },
  };
}
