/** Lines with the seconds since the beginning, as examples print them. */

/** Begins now: `seconds` says how long ago that was, `say` prints a line behind it. */
export function stopwatch(): { readonly seconds: () => number; readonly say: (line: string) => void } {
  const started = performance.now();
  const seconds = (): number => (performance.now() - started) / 1000;
  return { seconds, say: (line) => console.log(`${seconds().toFixed(1).padStart(6)} s  ${line}`) };
}
