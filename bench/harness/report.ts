/** What a run of the benchmark says: rows, the machine they were measured on, and both as Markdown. */
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { engines } from '../engines/index.ts';

/** Outputs may differ by this much; a row that differs by more is wrong, and the benchmark fails. */
const TOLERANCE = 1e-3;

/** One engine at one work. Field names are those of the JSON file. */
export interface Row {
  readonly work: string;
  readonly engine: string;
  readonly version: string;
  /** Threads the engine was told to use. */
  readonly threads: number;
  /** Processor time ÷ wall time while measuring: threads it really kept busy. */
  readonly busy_cores: number;
  /** The same while other engines were measured: should be near 0. */
  readonly idle_cores: number;
  /** The same of everything outside the benchmark while this engine was measured: above 0 the row is doubtful. */
  readonly other_cores: number;
  readonly runs: number;
  readonly median_ms: number;
  readonly min_ms: number;
  /** This engine's median ÷ Sinter's, at the same work and thread count: above 1 Sinter is faster. */
  readonly ratio: number | null;
  readonly gflops: number | null;
  /** Of the whole process: runtime, library, weights, work. */
  readonly peak_rss_bytes: number;
  /** Largest difference from `reference`, relative to the largest element of its output. */
  readonly difference: number | null;
  /** The engine whose output the others are compared with. */
  readonly reference: string;
  /** What makes the row doubtful. */
  readonly notes: readonly string[];
}

/** Where and when. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memory_bytes: number;
  readonly platform: string;
  readonly node: string;
  readonly date: string;
  /** Load average of the minute before the start: well above 0 means that others disturbed the figures. */
  readonly load: number;
}

/** Describes this machine. */
export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memory_bytes: totalmem(),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    date: new Date().toISOString(),
    load: Number(loadavg()[0]?.toFixed(2)),
  };
}

/** The middle value; of an even number, the mean of the two. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? (sorted[middle] ?? NaN) : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}

/** All rows as one Markdown table. */
export function markdown({ cpu, cores, node, date, load }: Machine, rows: readonly Row[]): string {
  const head = [
    'work',
    'engine',
    'threads',
    'median ms',
    'min ms',
    'ratio',
    'GFLOP/s',
    'cores',
    'idle',
    'others',
    'peak RSS',
    'differs by',
  ];
  const cells = rows.map((row) => [
    row.work,
    row.engine,
    String(row.threads),
    digits(row.median_ms),
    digits(row.min_ms),
    row.ratio === null ? '' : row.ratio.toFixed(2),
    row.gflops === null ? '' : row.gflops.toFixed(1),
    row.busy_cores.toFixed(1),
    row.idle_cores.toFixed(2),
    row.other_cores.toFixed(1),
    `${Math.round(row.peak_rss_bytes / 2 ** 20)} MiB`,
    row.difference === null ? '' : row.difference === 0 ? '0' : row.difference.toExponential(0),
  ]);
  const widths = head.map((title, i) => Math.max(title.length, ...cells.map((line) => line[i]?.length ?? 0)));
  const left = 2;
  const line = (texts: readonly string[]) =>
    `| ${texts.map((text, i) => (i < left ? text.padEnd(widths[i] ?? 0) : text.padStart(widths[i] ?? 0))).join(' | ')} |`;
  const rule = `|${widths.map((width, i) => (i < left ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  return [`${cpu}, ${cores} cores, Node ${node}, ${date}, load ${load}`, '', line(head), rule, ...cells.map(line)].join(
    '\n',
  );
}

function digits(ms: number): string {
  return ms >= 100 ? ms.toFixed(0) : ms.toPrecision(3);
}

/** Whether the engine computed something else than the reference. */
export function isWrong({ difference }: Row): boolean {
  return difference !== null && !(difference <= TOLERANCE);
}

/** Per work and thread count: Sinter beside the fastest of the peers that run where it runs, and the fastest native one. */
export function verdicts(rows: readonly Row[]): string[] {
  const native = new Set(engines.filter((engine) => engine.native).map((engine) => engine.name));
  return rows
    .filter((row) => row.engine === 'sinter')
    .map((ours) => {
      const others = rows.filter((row) => row.work === ours.work && row.threads === ours.threads && row !== ours);
      const fastest = (isNative: boolean) => {
        const group = others.filter((row) => native.has(row.engine) === isNative);
        const best = group.sort((a, b) => a.median_ms - b.median_ms)[0];
        return best
          ? `${best.ratio?.toFixed(2)}× as fast as ${best.engine}`
          : `no ${isNative ? 'native' : 'JavaScript'} peer`;
      };
      return `${ours.work}, threads ${ours.threads}: ${fastest(false)}; ${fastest(true)}`;
    });
}

/** What makes figures of this run doubtful. */
export function notes(rows: readonly Row[]): string[] {
  const disturbed = rows.filter((row) => row.other_cores > 0.1).length;
  return [
    ...rows.flatMap((row) => {
      const where = `${row.engine}, ${row.work}, threads ${row.threads}:`;
      const by = `output differs from ${row.reference} by ${row.difference} (allowed ${TOLERANCE})`;
      return [...(isWrong(row) ? [`WRONG ${where} ${by}`] : []), ...row.notes.map((note) => `note: ${where} ${note}`)];
    }),
    ...(disturbed
      ? [`note: in ${disturbed} of ${rows.length} rows other programs kept the machine busy: read them as rough`]
      : []),
  ];
}
