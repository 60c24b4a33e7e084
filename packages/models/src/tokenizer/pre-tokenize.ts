/** The pre-tokenizers of `tokenizer.json`: each cuts a part of a text into words, which the model then sees one by one. */
import { byteLettersOf, byteLevelWords } from './byte-level.ts';
import { stepError } from './errors.ts';
import type { StepJson } from './files.ts';
import { patternOf } from './pattern.ts';
import { prepend, replace, split } from './span.ts';
import type { Span, SplitBehavior } from './span.ts';

/** The words of a part of a text. */
export type PreTokenizer = (s: Span) => Span[];

/**
 * The pre-tokenizer that `json` describes; none leaves the text whole.
 *
 * @throws {TokenizerError} when its type is not known.
 */
export function createPreTokenizer(json: StepJson | null | undefined): PreTokenizer {
  if (!json) return (s) => [s];
  const make = preTokenizers[json.type];
  if (!make) throw stepError('pre-tokenizer', json, preTokenizers);
  return make(json);
}

/** What Rust's `char::is_ascii_punctuation` or Unicode takes for punctuation. */
const sign = '!-\\/:-@\\[-`{-~\\p{P}';
const signs = new RegExp(`[${sign}]`, 'gu');
const bertWords = new RegExp(`[^\\p{White_Space}${sign}]+|[${sign}]`, 'gu');
const letter = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}';
const lettersOrSigns = new RegExp(`[${letter}]+|[^${letter}\\p{White_Space}]+`, 'gu');

/** The matches alone. */
const matches = (pattern: RegExp) => (): PreTokenizer => (s) => split(s, pattern, 'Removed', true);

const preTokenizers: Readonly<Record<string, (json: StepJson) => PreTokenizer>> = {
  BertPreTokenizer: matches(bertWords),
  ByteLevel:
    ({ add_prefix_space = true, use_regex = true }) =>
    (s) => {
      const spaced = add_prefix_space && !s.text.startsWith(' ') ? prepend(s, ' ') : s;
      const words = use_regex ? split(spaced, byteLevelWords, 'Isolated') : [spaced];
      return words.map(byteLettersOf);
    },
  CharDelimiterSplit: ({ delimiter }) => {
    const pattern = patternOf({ String: delimiter });
    return (s) => split(s, pattern, 'Removed');
  },
  Digits:
    ({ individual_digits }) =>
    (s) =>
      split(s, /\p{N}/gu, individual_digits ? 'Isolated' : 'Contiguous'),
  Metaspace: (json) => {
    const replacement = String(json.replacement ?? '▁');
    const scheme = json.prepend_scheme ?? (json.add_prefix_space === false ? 'never' : 'always');
    const pattern = patternOf({ String: replacement });
    return (s) => {
      const marked = replace(s, / /g, () => replacement);
      const first = !marked.text.startsWith(replacement) && (scheme === 'always' || (scheme === 'first' && s.at === 0));
      const whole = first ? prepend(marked, replacement) : marked;
      return json.split === false ? [whole] : split(whole, pattern, 'MergedWithNext');
    };
  },
  Punctuation:
    ({ behavior = 'Isolated' }) =>
    (s) =>
      split(s, signs, behavior as SplitBehavior),
  Sequence: ({ pretokenizers }) => {
    const steps = (pretokenizers as StepJson[]).map(createPreTokenizer);
    return (s) => steps.reduce((words, step) => words.flatMap(step), [s]);
  },
  Split: ({ pattern, behavior, invert }) => {
    const found = patternOf(pattern);
    return (s) => split(s, found, behavior as SplitBehavior, invert === true);
  },
  Whitespace: matches(lettersOrSigns),
  WhitespaceSplit: matches(/\P{White_Space}+/gu),
};
