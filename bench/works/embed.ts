/**
 * Embeddings: real mails become vectors, from texts to numbers, as users of a library of models call it: `pipeline('feature-extraction')` with mean
 * pooling, in batches of 32. Engines read the folder that embedding/folder.ts finds or makes.
 */
import type { Work } from '../harness/work.ts';

/** The first `mails` of the corpus, each cut to `max_length` tokens. */
export function mailEmbeddings(mails: number, max_length: number): Work {
  return {
    name: `MiniLM embeddings of ${mails} mails, ≤ ${max_length} tokens`,
    place: 'cpu',
    params: {},
    inputs: {},
    programs: { embeds: { mails, max_length } },
  };
}
