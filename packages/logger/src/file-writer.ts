/** The writer of one event file: events go into a buffer at once, and from there to the disk in order, without blocking. */
import { close, write, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { PbfWriter } from 'pbf';
import { holdForExit, releaseFromExit } from './at-exit.ts';
import { createEventFile } from './event-file.ts';
import type { Event, Value, ValueOptions } from './event.ts';
import { histogramValue } from './histogram.ts';
import type { HistogramOptions } from './histogram.ts';
import { LogError, reason } from './log-error.ts';
import { writeEvent } from './proto.ts';
import { appendRecord } from './record.ts';
import { scalarValue } from './scalar.ts';
import { textValue } from './text.ts';

const writeAsync = promisify(write);
const closeAsync = promisify(close);

/** Events are sent to the disk without waiting for the timer when this many bytes are there. */
const writeBehindBytes = 1 << 16;

/** Options of {@link createFileWriter}. */
export interface FileWriterOptions {
  /** The longest time in seconds that an event stays in memory; default 2. The timer does not keep the process alive. */
  readonly flushSeconds?: number;
  /**
   * How many bytes may wait in memory; default 4 MiB. A caller that logs faster than events can be written in the background then
   * waits for the disk; when the disk refuses too, the waiting events are dropped and `onError` is told how many.
   */
  readonly maxPendingBytes?: number;
  /**
   * Told when a background write fails (full disk, quota): once, and again after the disk has recovered and fails anew. What was
   * logged stays in memory and is tried again. Default: a process warning. Errors of `flush()` and `close()` go to their callers.
   */
  readonly onError?: (error: LogError) => void;
}

/**
 * Opens a new event file in `logDir` for TensorBoard. The folder is made if need be, and the file is there when this returns.
 *
 * Give each writer a folder (a run) of its own: TensorBoard follows only the newest file of a folder.
 *
 * @param logDir folder of the run, for example `./logs/first`
 * @throws LogError `open` when the file cannot be made
 */
export function createFileWriter(logDir: string, options: FileWriterOptions = {}): FileWriter {
  return new FileWriter(logDir, options);
}

/**
 * Appends events to one file. Logging is synchronous and cheap; the writing happens behind it. After `flush()` resolves
 * everything logged before is with the operating system and survives a killed process; on a normal exit, `process.exit()` or an
 * uncaught error nothing is lost at all. Made by {@link createFileWriter}.
 */
export class FileWriter {
  /** Path of the event file. */
  readonly path: string;

  readonly #fd: number;
  readonly #options: Required<Omit<FileWriterOptions, 'onError'>> & Pick<FileWriterOptions, 'onError'>;
  /**
   * Bytes known to be in the file. Every write states its position, so that writing the same bytes again is harmless: a
   * synchronous write need not know how far an asynchronous one has come.
   */
  #written = 0;
  /** Bytes that belong at `#written` and are being written, or failed to be. */
  #inFlight: Uint8Array | undefined;
  /** Records that follow them. */
  #pending = new PbfWriter(new Uint8Array(1 << 12));
  #pendingEvents = 0;
  /** A buffer that no write uses any more. */
  #spare: Uint8Array | undefined;
  /** Ends when all writes asked for so far have ended; never rejects. */
  #queue: Promise<void> = Promise.resolve();
  #behind = false;
  #failing = false;
  #timer: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;

  constructor(logDir: string, options: FileWriterOptions = {}) {
    this.#options = { flushSeconds: 2, maxPendingBytes: 1 << 22, ...options };
    const { path, fd } = createEventFile(logDir);
    this.path = path;
    this.#fd = fd;
    this.write({ kind: 'version', wallTime: now(), step: 0, version: 'brain.Event:2', writer: '@sinter/logger' });
    this.#tryNow();
  }

  /**
   * Logs a number. The file keeps it as float32; NaN and infinities are kept as they are.
   *
   * @throws LogError `argument` (empty tag, step that is no whole number) or `closed`
   */
  scalar(tag: string, value: number, step: number, options: ValueOptions = {}): void {
    if (typeof value !== 'number')
      throw new LogError('argument', `scalar "${tag}" at step ${step}: ${String(value)} is no number.`, { tag, step });
    this.#value(scalarValue(tag, value, options), step, options);
  }

  /**
   * Logs Markdown (tables too).
   *
   * @throws LogError as {@link FileWriter.scalar}
   */
  text(tag: string, markdown: string, step: number, options: ValueOptions = {}): void {
    if (typeof markdown !== 'string')
      throw new LogError('argument', `text "${tag}" at step ${step}: ${typeof markdown} is no string.`, { tag, step });
    this.#value(textValue(tag, markdown, options), step, options);
  }

  /**
   * Logs the distribution of `values`, counted into buckets here and now. NaN and infinities are left out.
   *
   * @throws LogError as {@link FileWriter.scalar}
   */
  histogram(tag: string, values: ArrayLike<number>, step: number, options: HistogramOptions = {}): void {
    const { buckets = 30 } = options;
    if (!Number.isSafeInteger(buckets) || buckets < 1)
      throw new LogError('argument', `histogram "${tag}" at step ${step}: ${buckets} buckets; ask for 1 or more.`, {
        tag,
        step,
      });
    this.#value(histogramValue(tag, values, options), step, options);
  }

  /**
   * Logs any event: what all the methods above come down to.
   *
   * @throws LogError `argument` or `closed`
   */
  write(event: Event): void {
    this.#checkOpen(event);
    checkEvent(event);
    const start = this.#pending.pos;
    try {
      appendRecord(this.#pending, writeEvent, event);
    } catch (thrown) {
      this.#pending.pos = start; // no half records
      throw thrown;
    }
    this.#pendingEvents++;
    if (start === 0) holdForExit(this);
    if (this.#pending.pos >= this.#options.maxPendingBytes) this.#tryNow();
    else if (this.#pending.pos >= writeBehindBytes && !this.#behind && !this.#failing) this.#writeBehind();
    else this.#timer ??= setTimeout(() => this.#writeBehind(), this.#flushMilliseconds).unref();
  }

  /**
   * Resolves when everything logged so far is in the file.
   *
   * @throws LogError `write`; nothing is lost then, and a later flush tries again
   */
  flush(): Promise<void> {
    return this.#closing ?? this.#enqueue();
  }

  /**
   * Writes what is left and closes the file. Further calls return the same promise; logging after it throws.
   *
   * @throws LogError `write` when the rest cannot be written; it is lost then
   */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * Writes everything synchronously: for the moments in which nothing can be awaited. Called by itself when the process exits.
   *
   * @throws LogError `write`
   */
  writeNow(): void {
    try {
      for (let chunk = this.#take(); chunk; chunk = this.#take()) {
        for (let done = 0; done < chunk.length;)
          done += writeSync(this.#fd, chunk, done, chunk.length - done, this.#written + done);
        this.#settle(chunk);
      }
    } catch (thrown) {
      throw this.#writeError(thrown);
    }
  }

  #value(value: Value, step: number, { wallTime = now() }: ValueOptions): void {
    this.write({ kind: 'summary', wallTime, step, values: [value] });
  }

  get #flushMilliseconds(): number {
    return Math.min(this.#options.flushSeconds * 1000, 2 ** 31 - 1); // what a timer can hold
  }

  /** The bytes to write next. */
  #take(): Uint8Array | undefined {
    if (!this.#inFlight && this.#pending.pos > 0) {
      this.#inFlight = this.#pending.buf.subarray(0, this.#pending.pos);
      this.#pending = new PbfWriter(this.#spare ?? new Uint8Array(1 << 12));
      this.#pendingEvents = 0;
      this.#spare = undefined;
    }
    return this.#inFlight;
  }

  /** `chunk` is in the file. */
  #settle(chunk: Uint8Array): void {
    this.#written += chunk.length;
    this.#inFlight = undefined;
    this.#failing = false;
    if (this.#pending.pos === 0) releaseFromExit(this);
  }

  /** Writes what is there now, after all that was asked for before. */
  #enqueue(): Promise<void> {
    const turn = this.#queue.then(async () => {
      const end = this.#written + (this.#inFlight?.length ?? 0) + this.#pending.pos;
      for (let chunk = this.#take(); chunk && this.#written < end; chunk = this.#take()) await this.#writeChunk(chunk);
    });
    this.#queue = turn.catch(() => {});
    return turn;
  }

  async #writeChunk(chunk: Uint8Array): Promise<void> {
    const start = this.#written;
    try {
      for (let done = 0; done < chunk.length && this.#inFlight === chunk;)
        done += (await writeAsync(this.#fd, chunk, done, chunk.length - done, start + done)).bytesWritten;
    } catch (thrown) {
      if (this.#inFlight === chunk) throw this.#writeError(thrown);
    }
    if (this.#inFlight === chunk) this.#settle(chunk); // else writeNow was faster
    if (chunk.buffer.byteLength <= 2 * this.#options.maxPendingBytes) this.#spare = new Uint8Array(chunk.buffer);
  }

  #writeBehind(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#behind = true;
    this.#enqueue()
      .catch((error: LogError) => this.#report(error))
      .finally(() => (this.#behind = false));
  }

  /** Keeps memory bounded whatever the disk does. */
  #tryNow(): void {
    try {
      this.writeNow();
    } catch (thrown) {
      this.#report(thrown as LogError);
      if (this.#pending.pos < this.#options.maxPendingBytes) return;
      const { path } = this;
      const message = `${this.#pendingEvents} events are dropped: "${path}" cannot be written, and ${this.#pending.pos} bytes wait. Free space on the disk.`;
      this.#pending.pos = 0;
      this.#pendingEvents = 0;
      this.#tell(new LogError('write', message, { path }, thrown));
    }
  }

  async #close(): Promise<void> {
    clearTimeout(this.#timer);
    try {
      await this.#enqueue();
    } finally {
      this.#inFlight = undefined;
      this.#pending.pos = 0;
      releaseFromExit(this);
      await closeAsync(this.#fd);
    }
  }

  #report(error: LogError): void {
    if (!this.#failing) this.#tell(error);
    this.#failing = true;
  }

  #tell(error: LogError): void {
    if (this.#options.onError) this.#options.onError(error);
    else process.emitWarning(error);
  }

  #writeError(thrown: unknown): LogError {
    const { path } = this;
    const message = `cannot write to "${path}": ${reason(thrown)}. Free space on the disk, or log to another one.`;
    return new LogError('write', message, { path, offset: this.#written }, thrown);
  }

  #checkOpen(event: Event): void {
    if (!this.#closing) return;
    const { path } = this;
    const { step } = event;
    const tag = event.kind === 'summary' ? event.values[0]?.tag : undefined;
    const message = `"${tag ?? event.kind}" at step ${step} was logged after close() of "${path}". Log before closing, or create another writer.`;
    throw new LogError('closed', message, { path, step, ...(tag !== undefined && { tag }) });
  }
}

function checkEvent(event: Event): void {
  const { step, wallTime } = event;
  const tags: readonly string[] = event.kind === 'summary' ? event.values.map((value) => value.tag) : [];
  for (const tag of tags) {
    if (typeof tag !== 'string' || tag === '')
      throw new LogError('argument', `a value at step ${step} has the tag ${JSON.stringify(tag)}: name it.`, {
        tag,
        step,
      });
  }
  const [tag] = tags;
  const place = { step, ...(tag !== undefined && { tag }) };
  const name = `"${tag ?? event.kind}"`;
  if (!Number.isSafeInteger(step))
    throw new LogError('argument', `${name} has the step ${step}: steps are whole numbers within ±2^53.`, place);
  if (!Number.isFinite(wallTime))
    throw new LogError(
      'argument',
      `${name} at step ${step} has the wall time ${wallTime}: give seconds since 1970.`,
      place,
    );
}

function now(): number {
  return Date.now() / 1000;
}
