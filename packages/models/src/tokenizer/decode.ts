/** The decoders of `tokenizer.json`: each a function from tokens to tokens, whose texts one after the other are the text. */
import { joinWordPieces } from './bert-text.ts';
import { fromByteLetters } from './byte-level.ts';
import { stepError } from './errors.ts';
import type { StepJson } from './files.ts';
import { patternOf } from './pattern.ts';

/** Tokens to what they add to the text. */
export type Decoder = (tokens: readonly string[]) => readonly string[];

/**
 * The decoder that `json` describes; none puts spaces between tokens.
 *
 * @throws {TokenizerError} when its type is not known.
 */
export function createDecoder(json: StepJson | null | undefined): Decoder {
  if (!json) return (tokens) => [tokens.join(' ')];
  const make = decoders[json.type];
  if (!make) throw stepError('decoder', json, decoders);
  return make(json);
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
const strictUtf8 = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });

const decoders: Readonly<Record<string, (json: StepJson) => Decoder>> = {
  BPEDecoder:
    ({ suffix = '</w>' }) =>
    (tokens) =>
      tokens.map((token, i) => token.replaceAll(String(suffix), i === tokens.length - 1 ? '' : ' ')),
  ByteFallback: () => (tokens) => byteRuns(tokens),
  ByteLevel: () => (tokens) => [utf8.decode(Uint8Array.from(tokens.flatMap((token) => [...fromByteLetters(token)])))],
  CTC:
    ({ pad_token, word_delimiter_token, cleanup }) =>
    (tokens) =>
      tokens
        .filter((token, i) => token !== tokens[i - 1])
        .map((token) => token.replaceAll(String(pad_token), ''))
        .map((token) => (cleanup ? token.replaceAll(String(word_delimiter_token), ' ') : token))
        .filter((token) => token !== ''),
  Fuse: () => (tokens) => [tokens.join('')],
  Metaspace: ({ replacement = '▁', prepend_scheme, add_prefix_space }) => {
    const never = (prepend_scheme ?? (add_prefix_space === false ? 'never' : 'always')) === 'never';
    return (tokens) => tokens.map((token, i) => token.replaceAll(String(replacement), i === 0 && !never ? '' : ' '));
  },
  Replace: ({ pattern, content }) => {
    const found = patternOf(pattern);
    return (tokens) => tokens.map((token) => token.replace(found, () => String(content)));
  },
  Sequence: ({ decoders }) => {
    const steps = (decoders as StepJson[]).map(createDecoder);
    return (tokens) => steps.reduce((done, step) => step(done), tokens);
  },
  Strip: ({ content, start, stop }) => {
    const letter = String(content);
    return (tokens) =>
      tokens.map((token) => {
        let [from, to] = [0, token.length];
        while (from < Number(start) && from < to && token[from] === letter) from++;
        while (token.length - to < Number(stop) && to > from && token[to - 1] === letter) to--;
        return token.slice(from, to);
      });
  },
  WordPiece:
    ({ prefix = '##', cleanup = true }) =>
    (tokens) => [joinWordPieces(tokens, String(prefix), cleanup === true)],
};

/** Bytes beside each other become their characters; if they are not UTF-8, each of them is U+FFFD. */
function byteRuns(tokens: readonly string[]): string[] {
  const out: string[] = [];
  let run: number[] = [];
  const release = (): void => {
    if (run.length === 0) return;
    try {
      out.push(strictUtf8.decode(Uint8Array.from(run)));
    } catch {
      out.push(...run.map(() => '\ufffd'));
    }
    run = [];
  };
  for (const token of tokens) {
    const byte = /^<0x([0-9a-fA-F]{2})>$/.exec(token)?.[1];
    if (byte === undefined) {
      release();
      out.push(token);
    } else run.push(Number.parseInt(byte, 16));
  }
  release();
  return out;
}
