/** Reads a stream before it is asked for, so that reading and what is done with it happen at the same time. */

/** The items of a stream, of which up to `count` are fetched before they are asked for, from now on. */
export function ahead<T>(items: AsyncIterable<T>, count: number): AsyncIterableIterator<T, undefined> {
  const iterator = items[Symbol.asyncIterator]();
  const queue: Promise<IteratorResult<T, undefined>>[] = [];
  const fetchNext = (): void => {
    const next = iterator.next();
    // Who takes it hears of its error; nobody may.
    next.catch(() => undefined);
    queue.push(next);
  };
  while (queue.length < count) fetchNext();
  return {
    next() {
      fetchNext();
      return queue.shift()!;
    },
    async return() {
      void iterator.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
