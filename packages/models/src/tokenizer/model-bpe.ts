/** Byte-pair encoding (Sennrich et al. 2016, https://arxiv.org/abs/1508.07909): letters, joined by the merges in the order of their rank. */
import { TokenizerError } from './errors.ts';
import { modelVocabulary } from './pieces.ts';
import type { ModelJson, PieceModel } from './pieces.ts';

/** The settings of a BPE model that are looked at. */
interface BpeSettings {
  readonly unk_token?: string | null;
  readonly continuing_subword_prefix?: string | null;
  readonly end_of_word_suffix?: string | null;
  readonly fuse_unk?: boolean;
  readonly byte_fallback?: boolean;
  readonly ignore_merges?: boolean;
  readonly merges: readonly (string | readonly [string, string])[];
}

/** A row of letters, and where in the word each begins and ends. */
interface Letters {
  readonly ids: number[];
  readonly starts: number[];
  readonly ends: number[];
}

/** The model that `json` describes. */
export function bytePairs(json: ModelJson): PieceModel {
  const settings = json as unknown as BpeSettings;
  const ids = new Map(modelVocabulary(json));
  const ranks = rankMerges(settings, ids);
  const letters = letterReader(settings, ids);
  return (word) => {
    const whole = settings.ignore_merges ? ids.get(word) : undefined;
    return whole === undefined ? merge(letters(word), ranks) : { ids: [whole], starts: [0], ends: [word.length] };
  };
}

/** For each pair of ids the rank of its merge, and for each rank the id that it makes. */
interface Ranks {
  /** By the left id, then by the right one. */
  readonly of: readonly (ReadonlyMap<number, number> | undefined)[];
  readonly made: readonly number[];
}

function rankMerges({ merges, continuing_subword_prefix }: BpeSettings, ids: ReadonlyMap<string, number>): Ranks {
  const skip = (continuing_subword_prefix ?? '').length;
  const of: Map<number, number>[] = [];
  const made = merges.map((merge, rank) => {
    const [left, right] = typeof merge === 'string' ? (merge.split(' ') as [string, string]) : merge;
    const [a, b, c] = [ids.get(left), ids.get(right), ids.get(left + right.slice(skip))];
    if (a === undefined || b === undefined || c === undefined) {
      throw new TokenizerError(
        `tokenizer.json has a merge of '${left}' and '${right}' whose pieces are not in its vocabulary.`,
      );
    }
    (of[a] ??= new Map()).set(b, rank);
    return c;
  });
  return { of, made };
}

/** Cuts a word into letters that the vocabulary has; what it does not have becomes bytes, or unknown. */
function letterReader(settings: BpeSettings, vocabulary: ReadonlyMap<string, number>): (word: string) => Letters {
  const {
    unk_token,
    continuing_subword_prefix,
    end_of_word_suffix,
    fuse_unk = false,
    byte_fallback = false,
  } = settings;
  const unknown = unk_token == null ? undefined : vocabulary.get(unk_token);
  const prefix = continuing_subword_prefix ?? '';
  const suffix = end_of_word_suffix ?? '';
  const bytes = byte_fallback ? Array.from({ length: 256 }, (_, byte) => vocabulary.get(byteToken(byte))) : [];
  const encoder = new TextEncoder();
  return (word) => {
    const [ids, starts, ends]: [number[], number[], number[]] = [[], [], []];
    /** Unknown characters wait for the next known one, with which all that wait are one if they fuse. */
    let waiting: { start: number; end: number } | undefined;
    const add = (id: number, start: number, end: number): void => {
      ids.push(id);
      starts.push(start);
      ends.push(end);
    };
    const release = (): void => {
      if (waiting) add(unknown!, waiting.start, waiting.end);
      waiting = undefined;
    };
    let start = 0;
    for (const character of word) {
      const end = start + character.length;
      const letter = (start === 0 ? '' : prefix) + character + (end === word.length ? suffix : '');
      const id = vocabulary.get(letter);
      const parts =
        id === undefined && byte_fallback ? Array.from(encoder.encode(letter), (byte) => bytes[byte]) : [undefined];
      if (id !== undefined) {
        release();
        add(id, start, end);
      } else if (parts.every((part) => part !== undefined)) {
        for (const part of parts) add(part, start, end);
      } else if (unknown !== undefined) {
        if (waiting && fuse_unk) waiting.end = end;
        else {
          release();
          waiting = { start, end };
        }
      }
      start = end;
    }
    release();
    return { ids, starts, ends };
  };
}

/** How sentencepiece writes a byte. */
export function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
}

/** Joins neighbours, the pair of the lowest rank first and of equal ones the leftmost. */
function merge({ ids, starts, ends }: Letters, ranks: Ranks): Letters {
  const count = ids.length;
  if (count < 2) return { ids, starts, ends };
  /** The place of the piece behind and before each piece; a piece that was joined to the one before it has rank −1 for ever. */
  const next = Int32Array.from(ids, (_, i) => i + 1);
  const previous = Int32Array.from(ids, (_, i) => i - 1);
  const rankAt = new Int32Array(count).fill(-1);
  const queue = new Queue();
  const look = (i: number): void => {
    const right = next[i]!;
    rankAt[i] = right < count ? (ranks.of[ids[i]!]?.get(ids[right]!) ?? -1) : -1;
    if (rankAt[i]! >= 0) queue.push(rankAt[i]! * count + i);
  };
  for (let i = 0; i < count; i++) look(i);
  for (let top = queue.pop(); top !== undefined; top = queue.pop()) {
    const i = top % count;
    const rank = (top - i) / count;
    if (rankAt[i] !== rank) continue;
    const right = next[i]!;
    ids[i] = ranks.made[rank]!;
    ends[i] = ends[right]!;
    rankAt[right] = -1;
    next[i] = next[right]!;
    if (next[i]! < count) previous[next[i]!] = i;
    look(i);
    if (previous[i]! >= 0) look(previous[i]!);
  }
  const kept: Letters = { ids: [], starts: [], ends: [] };
  for (let i = 0; i < count; i = next[i]!) {
    kept.ids.push(ids[i]!);
    kept.starts.push(starts[i]!);
    kept.ends.push(ends[i]!);
  }
  return kept;
}

/** A heap of numbers, the least on top. */
class Queue {
  readonly #heap: number[] = [];

  push(value: number): void {
    const heap = this.#heap;
    let i = heap.push(value) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (heap[parent]! <= value) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = value;
  }

  pop(): number | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return top;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]! < heap[child]!) child++;
      if (heap[child]! >= last) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
    return top;
  }
}
