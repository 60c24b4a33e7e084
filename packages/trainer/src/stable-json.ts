/** JSON as transformers writes its files: indented by two, keys sorted, a newline at the end. */

/** The text of a value: equal values, equal bytes. */
export function stableJson(value: unknown): string {
  const sorted = (_key: string, x: unknown): unknown =>
    typeof x === 'object' && x !== null && !Array.isArray(x)
      ? Object.fromEntries(Object.entries(x).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : x;
  return `${JSON.stringify(value, sorted, 2)}\n`;
}
