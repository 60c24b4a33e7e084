/** Texts that are being written: what of them lies in the caches, and what must be read for the scores of the token after them. */
import type { TensorData } from '@sinter/ir';
import type { ModelData } from '../compiled.ts';
import type { Kind, Sizes } from './programs.ts';
import type { Writer } from './writer.ts';

/** A text that is being written. */
export interface Text {
  /** Its tokens, padding included; all texts have as many. */
  readonly tokens: readonly number[];
  /** Which of its first tokens count (not 0); those after them all do. */
  readonly mask: Int32Array;
  /** Its source, of a model with an encoder. */
  readonly source: Source | undefined;
}

/** What an encoder reads; all sources have as many tokens. */
export interface Source {
  readonly ids: Int32Array;
  /** 0 where there is padding. */
  readonly mask: Int32Array;
}

/** See the head of this file. Calls follow one another. */
export class Session {
  readonly #writer: Writer;
  readonly #sizes: Sizes;
  /** How many tokens of each text lie in the caches. */
  #read = 0;

  /** `sizes` are the most that is asked for. */
  constructor(writer: Writer, sizes: Sizes) {
    this.#writer = writer;
    this.#sizes = sizes;
  }

  /**
   * The scores of what follows each text, `[texts, vocabulary]`; with `count`, of what follows each of the last `count` tokens of a single text,
   * `[count, vocabulary]`.
   */
  async scores(texts: readonly Text[], count = 1): Promise<Scores> {
    const known = await this.#known();
    const total = texts[0]!.tokens.length;
    if (count > 1 && known === 0) {
      // Reading a text from its start gives the scores of its end alone.
      const [text] = texts;
      await this.scores([{ ...text!, tokens: text!.tokens.slice(0, total - count) }]);
      return this.scores(texts, count);
    }
    const kind = known === 0 ? 'read' : count > 1 ? 'check' : total - known === 1 ? 'next' : 'check';
    const { logits } = await this.#writer.run(kind, this, inputsOf(texts, known));
    this.#read = total;
    return lastOf(logits!, texts.length, count);
  }

  /** Text `i` goes on from what text `rows[i]` has read. With `all`, its source is that of this text too. */
  async move(rows: Int32Array, { all = false } = {}): Promise<void> {
    const known = await this.#known();
    if (known === 0 || rows.every((row, i) => row === i)) return;
    const { source } = this.#sizes;
    const inputs: ModelData = {
      rows: { data: rows, shape: [rows.length] },
      total: marks(known),
      ...(all && source > 0 && { source: marks(source) }),
    };
    const kinds: readonly Kind[] = all && source > 0 ? ['lift all', 'lay all'] : ['lift', 'lay'];
    for (const kind of kinds) await this.#writer.run(kind, this, inputs);
  }

  /** Forgets all but the first tokens of each text. */
  cut(length: number): void {
    this.#read = Math.min(this.#read, length);
  }

  /** What lies in the caches, unless somebody else wrote meanwhile. */
  async #known(): Promise<number> {
    await this.#writer.prepare(this.#sizes);
    if (!this.#writer.holds(this)) this.#read = 0;
    return this.#read;
  }
}

/** The scores of every token, for each of some rows. */
export interface Scores {
  /** Of all rows, one after the other. */
  readonly all: Float32Array;
  readonly rows: number;
  readonly vocabulary: number;
  /** Of one row: a part of {@link Scores.all}. */
  of(row: number): Float32Array;
}

/** Scores in rows. */
export function scoresOf(all: Float32Array, vocabulary: number): Scores {
  const of = (row: number): Float32Array => all.subarray(row * vocabulary, (row + 1) * vocabulary);
  return { all, vocabulary, rows: all.length / vocabulary, of };
}

/** Logits are of the last tokens, or of all that were read. */
function lastOf({ data, shape }: TensorData, texts: number, count: number): Scores {
  const [, n, vocabulary] = shape as readonly [number, number, number];
  const all = data as Float32Array;
  if (n === count) return scoresOf(all, vocabulary);
  const out = new Float32Array(texts * count * vocabulary);
  for (let text = 0; text < texts; text++)
    out.set(all.subarray((text * n + n - count) * vocabulary, (text + 1) * n * vocabulary), text * count * vocabulary);
  return scoresOf(out, vocabulary);
}

/** What a run is given: the tokens that it reads, where they stand, and which of all there are count. */
function inputsOf(texts: readonly Text[], at: number): ModelData {
  const rows = texts.length;
  const total = texts[0]!.tokens.length;
  const n = total - at;
  const ids = new Int32Array(rows * n);
  const positions = new Int32Array(rows * n);
  const mask = new Int32Array(rows * total);
  texts.forEach((text, row) => {
    // Positions count the tokens that are no padding, as Hugging Face has it.
    let count = 0;
    for (let i = 0; i < total; i++) {
      const isThere = i >= text.mask.length || text.mask[i] !== 0;
      mask[row * total + i] = Number(isThere);
      if (isThere) count++;
      if (i < at) continue;
      ids[row * n + i - at] = text.tokens[i]!;
      positions[row * n + i - at] = isThere ? count - 1 : 1;
    }
  });
  return {
    input_ids: { data: ids, shape: [rows, n] },
    position_ids: { data: positions, shape: [rows, n] },
    attention_mask: { data: mask, shape: [rows, total] },
    at: { data: Int32Array.of(at), shape: [1] },
    ...sourcesOf(texts),
  };
}

function sourcesOf(texts: readonly Text[]): ModelData {
  const width = texts[0]!.source?.ids.length;
  if (width === undefined) return {};
  const [ids, mask] = [new Int32Array(texts.length * width), new Int32Array(texts.length * width)];
  texts.forEach(({ source }, row) => {
    ids.set(source!.ids, row * width);
    mask.set(source!.mask, row * width);
  });
  const shape = [texts.length, width];
  return { encoder_input_ids: { data: ids, shape }, encoder_attention_mask: { data: mask, shape } };
}

/** What tells a run that a size is so large. */
function marks(size: number): TensorData {
  return { data: new Int32Array(size), shape: [size] };
}
