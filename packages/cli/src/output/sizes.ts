/** Sizes as formulas that people read: `512·batch·seq² + 9,216`. */
import { evaluateSize, sizeFromJson } from '@sinter/compiler/artifact';
import type { SizeJson } from '@sinter/compiler/artifact';
import type { Sizes } from '../arguments/dims.ts';
import { showCount } from './text.ts';

/** A size as text. */
export function showSize(x: SizeJson): string {
  return terms(x).map(showTerm).join(' + ');
}

/** Which of several formulas decides a maximum at some sizes; a size that is no maximum is itself. */
export function decisive(x: SizeJson, sizes: Sizes): SizeJson {
  const value = (one: SizeJson): number => evaluateSize(sizeFromJson(one), sizes);
  return alternatives(x).reduce((best, one) => (value(one) > value(best) ? one : best));
}

/** What a size is the largest of. */
export function alternatives(x: SizeJson): readonly SizeJson[] {
  return typeof x === 'object' && x[0] === 'max' ? [...alternatives(x[1]), ...alternatives(x[2])] : [x];
}

function terms(x: SizeJson): readonly SizeJson[] {
  return typeof x === 'object' && x[0] === 'add' ? [...terms(x[1]), ...terms(x[2])] : [x];
}

function factors(x: SizeJson): readonly SizeJson[] {
  return typeof x === 'object' && x[0] === 'mul' ? [...factors(x[1]), ...factors(x[2])] : [x];
}

/** A product: its number first, equal factors as a power. */
function showTerm(x: SizeJson): string {
  const all = factors(x);
  const number = all.reduce<number>((product, f) => (typeof f === 'number' ? product * f : product), 1);
  const powers = new Map<string, number>();
  for (const f of all) if (typeof f !== 'number') powers.set(showFactor(f), (powers.get(showFactor(f)) ?? 0) + 1);
  const symbols = [...powers].map(([text, power]) => text + superscript(power));
  return [...(number === 1 && symbols.length > 0 ? [] : [showCount(number)]), ...symbols].join('·');
}

function showFactor(x: SizeJson): string {
  if (typeof x !== 'object') return String(x);
  const [op, a, b] = x;
  switch (op) {
    case 'add':
      return `(${showSize(x)})`;
    case 'sub':
      return `(${showSize(a)} − ${showTerm(b)})`;
    case 'div':
      return `⌊${showOperand(a)}/${showOperand(b)}⌋`;
    default:
      return `${op}(${showSize(a)}, ${showSize(b)})`;
  }
}

function showOperand(x: SizeJson): string {
  return terms(x).length > 1 || factors(x).length > 1 ? `(${showSize(x)})` : showSize(x);
}

function superscript(power: number): string {
  return power === 1 ? '' : Array.from(String(power), (digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(digit)]!).join('');
}
