/** What emoji and signs are called in two languages, by Unicode's CLDR (npm `cldr-annotations-full` and `…-derived-full`), and what is held out. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { seeded, shuffled } from '@sinter/example-texts/random.ts';

/** A text in two languages. */
export interface Pair {
  readonly source: string;
  readonly target: string;
}

/** An emoji with its names, and the words by which it is found. */
export interface Entry extends Pair {
  readonly emoji: string;
  readonly keywords: { readonly source: readonly string[]; readonly target: readonly string[] };
  /** Whether a colour of skin is said. */
  readonly toned: boolean;
}

/** What is learnt from, and what is held out. */
export interface Names {
  readonly train: readonly Entry[];
  readonly test: readonly Entry[];
}

interface Annotations {
  readonly [emoji: string]: { readonly default?: readonly string[]; readonly tts?: readonly string[] } | undefined;
}

const require = createRequire(import.meta.url);

async function annotations(language: string): Promise<Annotations> {
  const read = async (path: string): Promise<Record<string, { annotations: Annotations }>> =>
    JSON.parse(await readFile(require.resolve(path), 'utf8')) as Record<string, { annotations: Annotations }>;
  const [plain, derived] = await Promise.all([
    read(`cldr-annotations-full/annotations/${language}/annotations.json`),
    read(`cldr-annotations-derived-full/annotationsDerived/${language}/annotations.json`),
  ]);
  return { ...plain['annotations']!.annotations, ...derived['annotationsDerived']!.annotations };
}

const tones = /[\u{1f3fb}-\u{1f3ff}]/gu;

/**
 * The names in English and another language. What differs in colour of skin, gender, number of people or direction alone is one family, and so is what has the
 * same name; of ten families nine are learnt from, whole. There are {@link tonedPerEmoji} colours of each emoji, or they would be most of it.
 */
export async function loadNames(language: string, seed: number): Promise<Names> {
  const [english, other] = await Promise.all([annotations('en'), annotations(language)]);
  const random = seeded(seed);
  const all = Object.entries(english).flatMap(([emoji, own]): Entry[] => {
    const theirs = other[emoji];
    const [source, target] = [own?.tts?.[0], theirs?.tts?.[0]];
    if (source === undefined || target === undefined) return [];
    const keywords = { source: own?.default ?? [], target: theirs?.default ?? [] };
    return [{ emoji, source, target, keywords, toned: source.includes('skin tone') }];
  });

  const colours = new Map<string, number>();
  const kept = shuffled(all, random).filter(({ emoji, toned }) => {
    const bare = emoji.replace(tones, '');
    const count = (colours.get(bare) ?? 0) + (toned ? 1 : 0);
    colours.set(bare, count);
    return !toned || count <= tonedPerEmoji;
  });

  const families = new Map<string, Entry[]>();
  const byName = new Map<string, Entry[]>();
  for (const entry of kept) {
    const [key, name] = [familyOf(entry.emoji), entry.source.toLowerCase()];
    const family = families.get(key) ?? byName.get(name) ?? [];
    family.push(entry);
    families.set(key, family);
    byName.set(name, family);
  }
  const [train, test]: [Entry[], Entry[]] = [[], []];
  for (const [i, family] of shuffled([...new Set(families.values())], random).entries())
    (i % 10 === 0 ? test : train).push(...family);
  // Two families may call something the same.
  const known = new Set(train.map(({ source }) => source.toLowerCase()));
  return { train, test: test.filter(({ source }) => !known.has(source.toLowerCase())) };
}

/** How many colours of skin of an emoji are taken. */
const tonedPerEmoji = 2;

/** The emoji without colours, genders and directions, and with one kind of person. */
function familyOf(emoji: string): string {
  return emoji
    .replace(tones, '')
    .replace(/[\u200d\ufe0f♀♂➡]/gu, '')
    .replace(/[👨👩🧑👦👧🧒👴👵🧓]/gu, '🧑')
    .replace(/🧑+/gu, '🧑');
}
