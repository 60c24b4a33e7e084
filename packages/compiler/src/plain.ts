/** Plain data as text: attributes of ops, options, targets. Equal texts mean equal data, to the sign of a zero. */

/**
 * Writes plain data. Members of objects and elements of sets stand in the order of their names, whatever order they came in.
 *
 * @param other Writes what is not plain: functions, instances of classes, and arrays of numbers, which may be large.
 */
export function plainText(x: unknown, other: (x: object) => string): string {
  switch (typeof x) {
    case 'number':
      return Object.is(x, -0) ? '-0' : String(x);
    case 'string':
      return JSON.stringify(x);
    case 'object': {
      if (x === null) return 'null';
      if (Array.isArray(x)) return `[${x.map((y) => plainText(y, other)).join()}]`;
      if (x instanceof Set)
        return `{${Array.from(x, (y) => plainText(y, other))
          .sort()
          .join()}}`;
      if (Object.getPrototypeOf(x) !== Object.prototype) return other(x);
      const names = Object.keys(x).sort();
      return `{${names.map((name) => `${JSON.stringify(name)}:${plainText((x as Record<string, unknown>)[name], other)}`).join()}}`;
    }
    case 'function':
      return other(x);
    default:
      return String(x);
  }
}
