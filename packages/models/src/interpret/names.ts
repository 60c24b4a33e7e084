/** How values of a model are found: by their name, by the end of it, with parts left out, or several at once. */
import type { Tensor } from '@sinter/ir';
import { InputError } from '../errors.ts';
import type { Values } from '../scope.ts';

/**
 * The values that `wanted` names, by full name. A name may leave out what stands before it and parts inside of it:
 * `encoder.layer.3.attention.probs` is `bert.encoder.layer.3.attention.self.probs`, as long as there is one such value. `*` is any part, and names
 * all values that fit. Of several ways to read it, the one that leaves out least counts.
 * @throws InputError if there is no such value, or more than one without a `*`
 */
export function findValues(values: Values, wanted: string): Values {
  const pattern = wanted.split('.');
  for (const fits of [whole, end, parts]) {
    const found = [...values].filter(([name]) => fits(name.split('.'), pattern));
    if (found.length === 0) continue;
    const different = distinct(found);
    if (pattern.includes('*') || different.length === 1) return new Map(different);
    throw new InputError(
      `'${wanted}' may be each of ${list(different)}; say more of its name, or take them all with '*'`,
    );
  }
  throw new InputError(`there is no value '${wanted}'; near it are ${list(nearest([...values.keys()], wanted))}`);
}

/** Each tensor once, under the first of its names. */
function distinct(found: readonly (readonly [string, Tensor])[]): (readonly [string, Tensor])[] {
  const seen = new Set<Tensor>();
  return found.filter(([, tensor]) => !seen.has(tensor) && seen.add(tensor));
}

type Fits = (name: readonly string[], pattern: readonly string[]) => boolean;

const same = (part: string | undefined, of: string): boolean => part !== undefined && (of === '*' || of === part);
const whole: Fits = (name, pattern) => name.length === pattern.length && end(name, pattern);
const end: Fits = (name, pattern) => pattern.every((of, i) => same(name[name.length - pattern.length + i], of));
/** In order, with the last part the last. */
const parts: Fits = (name, pattern) => {
  if (!same(name.at(-1), pattern.at(-1)!)) return false;
  let at = 0;
  return pattern.every((of) => {
    while (at < name.length && !same(name[at], of)) at++;
    return at++ < name.length;
  });
};

/** The names that have most pairs of neighbouring letters in common with `wanted`, the best first. */
function nearest(names: readonly string[], wanted: string): (readonly [string])[] {
  const pairs = (text: string): Set<string> => new Set(Array.from(text.slice(1), (letter, i) => text[i]! + letter));
  const own = pairs(wanted);
  const likeness = (name: string): number => {
    const other = pairs(name);
    return [...other].filter((pair) => own.has(pair)).length / (own.size + other.size);
  };
  const rated = names.map((name) => [name, likeness(name)] as const).sort((a, b) => b[1] - a[1]);
  return rated.map(([name]) => [name] as const).slice(0, 5);
}

function list(names: readonly (readonly [string, ...unknown[]])[]): string {
  const shown = names.slice(0, 6).map(([name]) => name);
  return names.length > shown.length ? `${shown.join(', ')}, … (${names.length})` : shown.join(', ');
}
