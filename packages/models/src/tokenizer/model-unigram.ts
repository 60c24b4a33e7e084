/**
 * The unigram language model of sentencepiece (Kudo 2018, https://arxiv.org/abs/1804.10959): of all ways to cut a word into pieces the most
 * probable one, found by Viterbi's algorithm.
 */
import { TokenizerError } from './errors.ts';
import { byteToken } from './model-bpe.ts';
import { pieceTrie } from './piece-trie.ts';
import type { ModelJson, PieceModel } from './pieces.ts';

/** How much less probable than the least probable piece an unknown character is, as a logarithm. */
const unknownPenalty = 10;

/** The model that `json` describes. */
export function unigram(json: ModelJson): PieceModel {
  const vocab = json.vocab as readonly (readonly [piece: string, score: number])[];
  const unknown = typeof json.unk_id === 'number' ? json.unk_id : undefined;
  const pieces = vocab.map(([piece]) => piece);
  const scores = Float64Array.from(vocab, ([, score]) => score);
  const unknownScore = scores.reduce((least, score) => Math.min(least, score), Infinity) - unknownPenalty;
  const prefixes = pieceTrie(pieces);
  const bytes = json.byte_fallback === true ? byteIds(pieces) : undefined;
  const encoder = new TextEncoder();

  return (word) => {
    /** For each place the best score of a way that ends there, where its last piece begins, and that piece (−1: unknown). */
    const best = new Float64Array(word.length + 1);
    const from = new Int32Array(word.length + 1).fill(-1);
    const last = new Int32Array(word.length + 1).fill(-1);
    for (let start = 0; start < word.length;) {
      const width = word.codePointAt(start)! > 0xffff ? 2 : 1;
      const here = best[start]!;
      const reach = (id: number, end: number, score: number): void => {
        if (from[end]! >= 0 && here + score <= best[end]!) return;
        [best[end], from[end], last[end]] = [here + score, start, id];
      };
      let single = false;
      prefixes(word, start, (id, end) => {
        reach(id, end, scores[id]!);
        single ||= end === start + width;
      });
      if (!single) reach(-1, start + width, unknownScore);
      start += width;
    }
    const [ids, starts, ends]: [number[], number[], number[]] = [[], [], []];
    for (let end = word.length; end > 0;) {
      const id = last[end]!;
      let start = from[end]!;
      // Unknown characters beside each other are one piece.
      if (id < 0) while (start > 0 && last[start]! < 0) start = from[start]!;
      const parts = id < 0 && bytes ? Array.from(encoder.encode(word.slice(start, end)), (byte) => bytes[byte]!) : [id];
      for (const part of parts.reverse()) {
        ids.push(part < 0 ? unknownId(unknown, word.slice(start, end)) : part);
        starts.push(start);
        ends.push(end);
      }
      end = start;
    }
    return { ids: ids.reverse(), starts: starts.reverse(), ends: ends.reverse() };
  };
}

function unknownId(id: number | undefined, text: string): number {
  if (id === undefined)
    throw new TokenizerError(`'${text}' is not in the vocabulary, and tokenizer.json names no unk_id.`);
  return id;
}

/** The ids of all bytes, if the vocabulary has them. */
function byteIds(pieces: readonly string[]): readonly number[] | undefined {
  const ids = new Map(pieces.map((piece, id) => [piece, id]));
  const found = Array.from({ length: 256 }, (_, byte) => ids.get(byteToken(byte)));
  return found.every((id) => id !== undefined) ? found : undefined;
}
