/** Where the bytes of an artifact come from: memory, a `Blob`, a file, or a server. */
import { ArtifactError } from './errors.ts';

/** Bytes that can be read from any position, in chunks of any length. */
export interface ByteSource {
  /** What it is called in messages. */
  readonly name: string;
  /** The number of bytes; `undefined` where that is not known, or not before something was read. */
  size(): Promise<number | undefined>;
  /**
   * `length` bytes from `offset` on; fewer where the source ends before. Reading forward is cheap everywhere; going back
   * may begin a stream anew. A chunk must not change after it was given.
   *
   * @throws ArtifactError with fault `source` if the bytes cannot be had.
   */
  read(offset: number, length: number, signal?: AbortSignal): AsyncIterable<Uint8Array>;
  /** The source of a file beside this one, such as weights in shards. Default: there is none. */
  beside?(name: string): ByteSource | Promise<ByteSource>;
}

/** Options of the sources whose files beside must be handed in. */
export interface SourceOptions {
  /** What it is called in messages. */
  readonly name?: string;
  /** Opens a file beside; who opens it closes it. */
  readonly beside?: (name: string) => ByteSource | Promise<ByteSource>;
}

/** At most so many bytes at once. */
const chunkBytes = 4 << 20;

/** Bytes in memory, or in a `Blob` (such as the `File` of an input field). */
export function bytesSource(bytes: Uint8Array | ArrayBuffer | Blob, options: SourceOptions = {}): ByteSource {
  const { name = 'bytes in memory', ...rest } = options;
  const source = bytes instanceof ArrayBuffer ? new Uint8Array(bytes) : bytes;
  return {
    name,
    ...rest,
    size: async () => (source instanceof Uint8Array ? source.length : source.size),
    async *read(offset, length) {
      if (source instanceof Uint8Array) yield source.subarray(offset, offset + length);
      else
        for (let at = offset; at < Math.min(offset + length, source.size); at += chunkBytes)
          yield new Uint8Array(await source.slice(at, Math.min(at + chunkBytes, offset + length)).arrayBuffer());
    },
  };
}

/** What {@link fileSource} needs of a file; the `FileHandle` of `node:fs/promises` has it, and Deno's files can be wrapped. */
export interface OpenFile {
  /** Reads up to `length` bytes at `position` into `buffer` from `offset` on. */
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>;
  /** Its size in bytes. */
  stat(): Promise<{ readonly size: number }>;
}

/** An open file. It must stay open for as long as it is read, and is closed by who opened it. */
export function fileSource(file: OpenFile, options: SourceOptions = {}): ByteSource {
  const { name = 'the file', ...rest } = options;
  return {
    name,
    ...rest,
    size: async () => (await file.stat()).size,
    async *read(offset, length) {
      for (let done = 0; done < length;) {
        const chunk = new Uint8Array(Math.min(chunkBytes, length - done));
        const { bytesRead } = await file.read(chunk, 0, chunk.length, offset + done);
        if (bytesRead === 0) return;
        yield chunk.subarray(0, bytesRead);
        done += bytesRead;
      }
    },
  };
}

interface Page {
  readonly location?: { readonly href: string };
}

/** Options of {@link urlSource}. */
export interface UrlOptions {
  /** Default: the global `fetch`. Use it to add headers or credentials. */
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>;
}

/** The answer to a request, read forward. */
interface Stream {
  readonly reader: ReadableStreamDefaultReader<Uint8Array>;
  /** Whether it goes on to the end of the file, because the server knows no ranges. */
  readonly whole: boolean;
  /** The position of `chunk`. */
  at: number;
  /** What was received last: it is kept until more is needed, so that a step back within it costs nothing. */
  chunk: Uint8Array;
}

/**
 * A file on a server; files beside are at URLs relative to it. Ranges are asked for. A server that does not know
 * them sends the whole file, which is then read in one pass for as long as reading goes forward.
 */
export function urlSource(url: string | URL, options: UrlOptions = {}): ByteSource {
  const { fetch = globalThis.fetch } = options;
  const name = String(url);
  let size: number | undefined;
  /** A stream that can still be read forward. */
  let open: Stream | undefined;

  const request = async (offset: number, length: number, signal?: AbortSignal): Promise<Stream> => {
    const headers = { Range: `bytes=${offset}-${offset + length - 1}` };
    const response = await fetch(name, signal ? { headers, signal } : { headers }).catch((cause: unknown) => {
      signal?.throwIfAborted();
      throw new ArtifactError('source', `${name} cannot be fetched: ${(cause as Error).message}`, { cause });
    });
    const { status, statusText, ok, body } = response;
    // 416: the file ends before `offset`.
    if (status !== 416 && (!ok || !body))
      throw new ArtifactError('source', `${name} cannot be fetched: the server says ${status} ${statusText}`);
    const header = (key: string): string => response.headers.get(key) ?? '';
    const total = /\/(\d+)$/.exec(header('content-range'))?.[1];
    // The length of what was compressed on the way is another one.
    const sent = status === 200 && !header('content-encoding') && header('content-length');
    if (total ?? sent) size = Number(total ?? sent);
    const stream = status === 416 || !body ? new Blob([]).stream() : body;
    const whole = status === 200;
    return { reader: stream.getReader(), whole, at: whole ? 0 : offset, chunk: new Uint8Array(0) };
  };
  const release = (stream: Stream | undefined): void => void stream?.reader.cancel().catch(() => undefined);

  return {
    name,
    size: async () => size,
    async *read(offset, length, signal) {
      if (length === 0) return;
      const reused = open && open.at <= offset ? open : undefined;
      if (!reused) release(open);
      open = undefined;
      const stream = reused ?? (await request(offset, length, signal));
      let keep = stream.whole;
      try {
        for (let at = offset, end = offset + length; at < end;) {
          signal?.throwIfAborted();
          const behind = stream.at + stream.chunk.length;
          if (at < behind) {
            const given = stream.chunk.subarray(at - stream.at, end - stream.at);
            at += given.length;
            yield given;
            continue;
          }
          const { done, value } = await stream.reader.read();
          if (done) return;
          stream.at = behind;
          stream.chunk = value;
        }
      } catch (cause) {
        keep = false;
        signal?.throwIfAborted();
        const received = stream.at + stream.chunk.length;
        const why = `the transfer broke off after ${received} bytes: ${(cause as Error).message}`;
        throw new ArtifactError('source', `${name}: ${why}`, { cause });
      } finally {
        release(keep ? open : stream);
        if (keep) open = stream;
      }
    },
    // In a page, URLs may be relative to it.
    beside: (file) => urlSource(new URL(file, new URL(name, (globalThis as Page).location?.href)), options),
  };
}
