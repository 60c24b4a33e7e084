/** Small values of options: lists, choices, amounts of bytes. */
import { UsageError } from '../errors.ts';

/** Reads `a,b,c`; every item one of `known`, none twice. @throws UsageError */
export function parseChoices<const T extends string>(option: string, text: string, known: readonly T[]): readonly T[] {
  const items = text.split(',').map((item) => item.trim());
  items.forEach((item, i) => {
    if (!(known as readonly string[]).includes(item))
      throw new UsageError(`${option}: '${item}' is none of ${known.join(', ')}`);
    if (items.indexOf(item) !== i) throw new UsageError(`${option}: '${item}' is given twice`);
  });
  return items as unknown as readonly T[];
}

/** Reads a number that `holds`; `wants` completes "must be …". @throws UsageError */
export function parseNumber(option: string, text: string, wants: string, holds: (x: number) => boolean): number {
  const value = Number(text);
  if (text.trim() === '' || !holds(value)) throw new UsageError(`${option} is '${text}'; it must be ${wants}`);
  return value;
}

const units: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};

/** Reads an amount of bytes: `4000000`, `500MB`, `1.5GiB`. @throws UsageError */
export function parseBytes(option: string, text: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(text.trim()) ?? [];
  const factor = unit === undefined ? undefined : units[unit];
  const bytes = Math.floor(Number(digits) * (factor ?? NaN));
  if (!(bytes >= 1))
    throw new UsageError(
      `${option} is '${text}'; write bytes, or a number with ${Object.keys(units).slice(2).join(', ')}`,
    );
  return bytes;
}
