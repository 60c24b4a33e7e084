/** 2,000 real and awkward strings through tokenizers of every style, against Hugging Face's own (tools/goldens/tokenizer_styles.py). */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import type { StepJson, TokenizerConfig, TokenizerJson } from './files.ts';
import { createTextStream } from './text-stream.ts';
import { createTokenizer } from './tokenizer.ts';

/** What the generator writes; its comment says what the fields are. */
interface Golden {
  readonly tokenizer: TokenizerJson;
  readonly config: TokenizerConfig;
  readonly every: number;
  readonly ids: readonly (readonly number[])[];
  readonly offsets: readonly (readonly number[])[];
  readonly words: readonly (readonly number[])[];
  readonly decoded: readonly (string | null)[];
  readonly plain: readonly (string | null)[];
}

const unpack = (name: string): Buffer =>
  gunzipSync(readFileSync(new URL(`../../goldens/tokenizers/${name}.gz`, import.meta.url)));
const read = (name: string): unknown => JSON.parse(unpack(`${name}.json`).toString());
const strings = read('strings') as string[];
const precompiled_charsmap = unpack('charsmap.bin').toString('base64');

const styles = ['bert', 'gpt2', 't5', 'llama', 'roberta', 'qwen2', 'llama3', 'albert', 'llama_metaspace'];

test.each(styles)('%s: ids, offsets, words and text are those of Python', (style) => {
  const { tokenizer: stored, config, every, ...want } = read(style) as Golden;
  const tokenizer = createTokenizer({ json: withCharacterMap(stored), config });
  const texts = strings.filter((_, i) => i % every === 0);
  expect(want.ids).toHaveLength(texts.length);
  texts.forEach((text, i) => {
    const { input_ids, offset_mapping, word_ids } = tokenizer(text, { return_offsets_mapping: true });
    const at = codePoints(text);
    const found = {
      ids: input_ids,
      offsets: offset_mapping.map(([start, end]) => [at[start], at[end]]),
      words: word_ids.map((word) => word ?? -1),
    };
    expect(found, text).toEqual({
      ids: want.ids[i],
      offsets: pairsOf(want.offsets[i]!),
      words: runningSums(want.words[i]!),
    });
    expect(tokenizer.encode(text), text).toEqual(want.ids[i]);
    if (i % 3 !== 0) return;
    expect(tokenizer.decode(input_ids), text).toBe(want.decoded[i / 3] ?? text);
    const plain = want.plain[i / 3] ?? text;
    expect(tokenizer.decode(input_ids, { skip_special_tokens: true }), text).toBe(plain);
    const stream = createTextStream(tokenizer, { skip_special_tokens: true });
    expect(input_ids.map((id) => stream.push([id])).join('') + stream.end(), text).toBe(plain);
  });
});

/** The character map stands in a file of its own. */
function withCharacterMap(json: TokenizerJson): TokenizerJson {
  const { normalizer } = json;
  if (normalizer?.type !== 'Sequence') return json;
  const fill = (step: StepJson): StepJson => (step.type === 'Precompiled' ? { ...step, precompiled_charsmap } : step);
  return { ...json, normalizer: { ...normalizer, normalizers: (normalizer.normalizers as StepJson[]).map(fill) } };
}

/** For each code unit, and the end, the number of its code point. */
function codePoints(text: string): number[] {
  const numbers = Array.from(text, (character, i) => new Array<number>(character.length).fill(i));
  return [...numbers.flat(), numbers.length];
}

function pairsOf(steps: readonly number[]): number[][] {
  let end = 0;
  return Array.from({ length: steps.length / 2 }, (_, i) => {
    const start = end + steps[2 * i]!;
    end = start + steps[2 * i + 1]!;
    return [start, end];
  });
}

function runningSums(steps: readonly number[]): number[] {
  let sum = -1;
  return steps.map((step) => (sum += step));
}
