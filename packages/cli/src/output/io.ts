/** Where a command writes: results to one place, everything that is said on the way to another. */

/** The two streams of a command. */
export interface Io {
  /** Writes a result, text that ends where its last line ends. */
  readonly out: (text: string) => void;
  /** Writes a line about what goes on: progress, notices, errors. */
  readonly err: (text: string) => void;
  /** Replaces the last line that it wrote itself; `''` clears it. Nothing where nobody looks. */
  readonly status: (text: string) => void;
}

/** Results go to stdout, the rest to stderr; on a terminal the status is one line that changes. */
export const processIo: Io = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(`${clear()}${text}\n`),
  status: (text) => {
    if (process.stderr.isTTY) process.stderr.write(`${clear()}${text.slice(0, (process.stderr.columns ?? 80) - 1)}`);
  },
};

function clear(): string {
  return process.stderr.isTTY ? '\r\u001b[K' : '';
}

/** A step of the work, shown as status while it lasts. */
export async function working<T>(io: Io, what: string, work: () => Promise<T>): Promise<T> {
  io.status(`${what} …`);
  try {
    return await work();
  } finally {
    io.status('');
  }
}
