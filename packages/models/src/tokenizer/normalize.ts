/** The normalizers of `tokenizer.json`: each a function from a part of a text to what the model sees of it. */
import { normalizeBert } from './bert-text.ts';
import type { BertNormalizer } from './bert-text.ts';
import { byteLettersOf } from './byte-level.ts';
import { precompiled } from './character-map.ts';
import { stepError } from './errors.ts';
import type { StepJson } from './files.ts';
import { patternOf } from './pattern.ts';
import { prepend, replace } from './span.ts';
import type { Span } from './span.ts';
import { lowerCase, normalForm } from './unicode.ts';

/** A part of a text as the model sees it. */
export type Normalizer = (s: Span) => Span;

/**
 * The normalizer that `json` describes; none changes nothing.
 *
 * @throws {TokenizerError} when its type is not known.
 */
export function createNormalizer(json: StepJson | null | undefined): Normalizer {
  if (!json) return (s) => s;
  const make = normalizers[json.type];
  if (!make) throw stepError('normalizer', json, normalizers);
  return make(json);
}

const remove = (): string => '';
const control = /[\x01-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]/g;
const spaceLike = /[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/g;

const normalizers: Readonly<Record<string, (json: StepJson) => Normalizer>> = {
  BertNormalizer: (json) => (s) => normalizeBert(s, json as BertNormalizer),
  ByteLevel: () => byteLettersOf,
  Lowercase: () => lowerCase,
  NFC: () => (s) => normalForm(s, 'NFC'),
  NFD: () => (s) => normalForm(s, 'NFD'),
  NFKC: () => (s) => normalForm(s, 'NFKC'),
  NFKD: () => (s) => normalForm(s, 'NFKD'),
  Nmt: () => (s) => replace(replace(s, control, remove), spaceLike, () => ' '),
  Precompiled: ({ precompiled_charsmap }) => precompiled(precompiled_charsmap),
  Prepend:
    ({ prepend: before }) =>
    (s) =>
      prepend(s, String(before)),
  Replace: ({ pattern, content }) => {
    const found = patternOf(pattern);
    return (s) => replace(s, found, () => String(content));
  },
  Sequence: ({ normalizers }) => {
    const steps = (normalizers as StepJson[]).map(createNormalizer);
    return (s) => steps.reduce((done, step) => step(done), s);
  },
  Strip:
    ({ strip_left, strip_right }) =>
    (s) => {
      const left = strip_left ? replace(s, /(?<![^])\p{White_Space}+/gu, remove) : s;
      return strip_right ? replace(left, /(?<!\p{White_Space})\p{White_Space}+(?![^])/gu, remove) : left;
    },
  StripAccents: () => (s) => replace(s, /\p{M}/gu, remove),
};
