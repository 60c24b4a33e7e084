/** Plain data as text: attributes of ops, options, targets. Equal texts mean equal data, to the sign of a zero. */

/**
 * Writes plain data. Members of objects and elements of sets stand in the order of their names, whatever order they came in. Graphs have
 * tens of thousands of attributes, so it is written for speed.
 *
 * @param other Writes what is not plain: functions, instances of classes, and arrays of numbers, which may be large.
 */
export function plainText(x: unknown, other: (x: object) => string): string {
  switch (typeof x) {
    case 'number':
      return Object.is(x, -0) ? '-0' : `${x}`;
    case 'string':
      return JSON.stringify(x);
    case 'object': {
      if (x === null) return 'null';
      if (Array.isArray(x)) return listText(x, other);
      if (x instanceof Set)
        return `{${Array.from(x, (y) => plainText(y, other))
          .sort()
          .join()}}`;
      if (Object.getPrototypeOf(x) !== Object.prototype) return other(x);
      return objectText(x as Readonly<Record<string, unknown>>, other);
    }
    case 'function':
      return other(x);
    default:
      return String(x);
  }
}

function listText(list: readonly unknown[], other: (x: object) => string): string {
  let text = '[';
  for (const y of list) text += `${plainText(y, other)},`;
  return `${text}]`;
}

function objectText(record: Readonly<Record<string, unknown>>, other: (x: object) => string): string {
  const names = Object.keys(record);
  if (names.length > 1) names.sort();
  let text = '{';
  for (const name of names)
    text += `${/^\w+$/.test(name) ? name : JSON.stringify(name)}:${plainText(record[name], other)},`;
  return `${text}}`;
}
