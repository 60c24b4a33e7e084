/** Other names in the place of names: a model that met Ahab five hundred times would learn Ahab; now it has to look at what stands around. */
import { wordsOf } from './words.ts';
import type { NameType, Span, Word } from './words.ts';
import type { Labelled } from './split.ts';

/** Names that can take the place of others. */
export type NamePool = Readonly<Record<NameType, readonly string[]>>;

/**
 * The sentence with each of its names replaced with a chance of `share`. Countries are replaced by others; people as often by nobody, whose
 * name is the beginning of one with the end of another. Positions in the text get lost.
 */
export function swapNames({ words, spans }: Labelled, pool: NamePool, share: number, random: () => number): Labelled {
  const out: Word[] = [];
  const moved: Span[] = [];
  let at = 0;
  for (const { type, start, end } of spans) {
    out.push(...words.slice(at, start));
    const one = (): string => pool[type][Math.floor(random() * pool[type].length)]!;
    const other = (): string => (type === 'PER' && random() < 0.5 ? blend(one(), one()) : one());
    const placed = random() < share ? wordsOf(other()) : words.slice(start, end);
    moved.push({ type, start: out.length, end: out.length + placed.length });
    out.push(...placed);
    at = end;
  }
  return { words: [...out, ...words.slice(at)], spans: moved };
}

/** The first half of one name, the second of another: Abrabeth, Elizham. */
function blend(a: string, b: string): string {
  return a.slice(0, Math.ceil(a.length / 2)) + b.slice(Math.ceil(b.length / 2)).trimStart();
}
