/**
 * The character map of sentencepiece that `Precompiled` normalizers carry: a double-array trie of UTF-8 (Darts-clone,
 * https://github.com/s-yata/darts-clone) whose values say where in a block of strings the replacement stands. Read as the Rust
 * `spm_precompiled` reads it: a whole grapheme is replaced by what its shortest prefix becomes.
 */
import { TokenizerError } from './errors.ts';
import { rewrite } from './span.ts';
import type { Change, Span } from './span.ts';

/**
 * The normalizer of a map in base64.
 *
 * @throws {TokenizerError} when there is no map.
 */
export function precompiled(base64: unknown): (s: Span) => Span {
  if (typeof base64 !== 'string') {
    throw new TokenizerError(
      'A Precompiled normalizer in tokenizer.json has no precompiled_charsmap. Fetch the file again.',
    );
  }
  const lookUp = characterMap(Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)));
  const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
  const known = new Map<string, readonly Replacement[]>();
  const replacements = (grapheme: string): readonly Replacement[] => {
    let found = known.get(grapheme);
    if (found === undefined) {
      if (known.size >= 100_000) known.clear();
      const whole = encoder.encode(grapheme).length < 6 ? lookUp(grapheme) : undefined;
      found = whole === undefined ? Array.from(grapheme, (part) => [part, lookUp(part)]) : [[grapheme, whole]];
      known.set(grapheme, found);
    }
    return found;
  };
  /** Of ASCII: what stays and is a grapheme of its own unless a mark follows. */
  const plain = Array.from({ length: 0x7f }, (_, i) => i >= 0x20 && lookUp(String.fromCharCode(i)) === undefined);
  const isPlain = (text: string, i: number): boolean => i >= text.length || plain[text.charCodeAt(i)] === true;

  return (s) => {
    const { text } = s;
    const out = s.tracked ? changes() : spelling();
    for (let i = 0; i < text.length;) {
      let end = i;
      while (end < text.length && isPlain(text, end) && isPlain(text, end + 1)) end++;
      if (end > i) out.keep(text.slice(i, end));
      i = end;
      while (end < text.length && !(isPlain(text, end) && isPlain(text, end + 1))) end++;
      if (end > i) {
        for (const { segment } of graphemes.segment(text.slice(i, end))) {
          for (const [part, to] of replacements(segment)) {
            if (to === undefined) out.keep(part);
            else out.put(part, to);
          }
        }
      }
      i = end;
    }
    const done = out.done();
    return typeof done === 'string' ? { ...s, text: done } : rewrite(s, done);
  };
}

/** A part of a text and what comes in its place; `undefined`: it stays. */
type Replacement = readonly [part: string, to: string | undefined];

/** A text that is put together of what stays and what comes in the place of something. */
interface Writer {
  keep(text: string): void;
  put(part: string, to: string): void;
  done(): string | readonly Change[];
}

function spelling(): Writer {
  let text = '';
  return { keep: (part) => void (text += part), put: (_, to) => void (text += to), done: () => text };
}

/** Characters that there are more of are additional; of those that are fewer the last one, or the one before, passes the rest. */
function changes(): Writer {
  const out: [string, number][] = [];
  return {
    keep(text) {
      for (const character of text) out.push([character, 0]);
    },
    put(part, to) {
      const more = Array.from(to).length - Array.from(part).length;
      for (const character of to) out.push([character, 0]);
      if (more > 0) for (const change of out.slice(-more)) change[1] = 1;
      else if (out.length > 0) out.at(-1)![1] += more;
    },
    done: () => out,
  };
}

const encoder = new TextEncoder();

/** Finds what stands for the shortest prefix of a text that the map knows. */
function characterMap(bytes: Uint8Array): (text: string) => string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = view.getUint32(0, true);
  const units = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
  const strings = bytes.subarray(4 + size);
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const offset = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6);
  return (text) => {
    let node = offset(units[0]!);
    for (const byte of encoder.encode(text)) {
      if (byte === 0) return undefined;
      const unit = units[(node ^= byte)]!;
      if ((unit & 0x800000ff) >>> 0 !== byte) return undefined;
      node ^= offset(unit);
      if ((unit & 0x100) !== 0) {
        const start = units[node]! & 0x7fffffff;
        return decoder.decode(strings.subarray(start, strings.indexOf(0, start)));
      }
    }
    return undefined;
  };
}
