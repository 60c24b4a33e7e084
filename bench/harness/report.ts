/** What a run of the benchmark says: rows, the machine they were measured on, and both as Markdown. */
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { engines } from '../engines/index.ts';
import { describeLimits, type Measured } from '../limits/limits.ts';
import type { GpuCounts } from './gpu-counter.ts';

/** Outputs may differ by this much; a row that differs by more is wrong, and the benchmark fails. */
const TOLERANCE = 1e-3;

/** One engine at one work. Field names are those of the JSON file. */
export interface Row {
  readonly work: string;
  readonly engine: string;
  readonly version: string;
  /** Threads the engine was told to use; null where an adapter decides. */
  readonly threads: number | null;
  /** The adapter, for engines on a GPU. */
  readonly adapter: string | null;
  /** What one run asks of the adapter. */
  readonly gpu: GpuCounts | null;
  /** Processor time ÷ wall time while measuring: threads it really kept busy. */
  readonly busy_cores: number;
  /** The same while other engines were measured: should be near 0. */
  readonly idle_cores: number;
  /** The same of everything outside the benchmark while this engine was measured: above 0 the row is doubtful. */
  readonly other_cores: number;
  readonly runs: number;
  readonly median_ms: number;
  readonly min_ms: number;
  /** Processor time of one run: on a software adapter the work itself, and hardly disturbed by other programs. */
  readonly cpu_ms: number;
  /** This engine's median ÷ Sinter's, at the same work and thread count: above 1 Sinter is faster. */
  readonly ratio: number | null;
  /** What binds the work on this machine, where it says how much it moves; and the share of that limit which is reached. */
  readonly bound: 'arithmetic' | 'memory' | null;
  readonly share: number | null;
  readonly gflops: number | null;
  readonly tokens_per_s: number | null;
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
export interface Machine extends Measured {
  readonly cpu: string;
  readonly cores: number;
  readonly memory_bytes: number;
  readonly platform: string;
  readonly node: string;
  readonly date: string;
  /** Load average of the minute before the start: well above 0 means that others disturbed the figures. */
  readonly load: number;
  /** When earlier runs were made that some of the figures come from. */
  readonly earlier?: readonly string[];
}

/** Describes this machine. */
export function machine(measured: Measured): Machine {
  return {
    ...measured,
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

/** One column of a table: its title and what it says of a row. */
interface Column {
  readonly title: string;
  readonly isText?: boolean;
  /** The cell. */
  of(row: Row): string;
}

const times: readonly Column[] = [
  { title: 'median ms', of: (row) => digits(row.median_ms) },
  { title: 'min ms', of: (row) => digits(row.min_ms) },
  { title: 'ratio', of: ({ ratio }) => ratio?.toFixed(2) ?? '' },
  { title: 'GFLOP/s', of: ({ gflops }) => gflops?.toFixed(1) ?? '' },
  { title: 'of limit', of: (row) => shareOf(row) },
];
const quiet: readonly Column[] = [
  { title: 'cores', of: (row) => row.busy_cores.toFixed(1) },
  { title: 'idle', of: (row) => row.idle_cores.toFixed(2) },
  { title: 'others', of: (row) => row.other_cores.toFixed(1) },
  { title: 'peak RSS', of: (row) => mebibytes(row.peak_rss_bytes) },
];
const names: readonly Column[] = [
  { title: 'work', isText: true, of: (row) => row.work },
  { title: 'engine', isText: true, of: (row) => row.engine },
];
const differs: Column = {
  title: 'differs by',
  of: ({ difference }) => (difference === null ? '' : difference === 0 ? '0' : difference.toExponential(0)),
};

const onProcessor: readonly Column[] = [
  ...names,
  { title: 'threads', of: (row) => String(row.threads) },
  ...times,
  ...quiet,
  differs,
];

const onAdapter: readonly Column[] = [
  ...names,
  ...times,
  { title: 'cpu ms', of: (row) => digits(row.cpu_ms) },
  { title: 'tokens/s', of: ({ tokens_per_s }) => tokens_per_s?.toFixed(0) ?? '' },
  { title: 'kernels', of: ({ gpu }) => String(gpu?.kernels ?? '') },
  { title: 'dispatches', of: ({ gpu }) => String(gpu?.dispatches ?? '') },
  { title: 'submits', of: ({ gpu }) => String(gpu?.submits ?? '') },
  { title: 'moved', of: ({ gpu }) => (gpu ? mebibytes(gpu.bytes) : '') },
  { title: 'copied', of: ({ gpu }) => (gpu ? mebibytes(gpu.copied) : '') },
  ...quiet,
  differs,
];

/** "91 % of arithmetic"; empty where nothing is known. */
export function shareOf({ bound, share }: Row): string {
  return bound === null || share === null ? '' : `${Math.round(100 * share)} % ${bound}`;
}

/** The machine and the moment in a line. */
export function describeMachine({ cpu, cores, node, date, load, earlier = [] }: Machine): string {
  const besides = earlier.length ? `; some figures of ${earlier.join(', ')}` : '';
  return `${cpu}, ${cores} cores, Node ${node}, ${date}, load ${load}${besides}`;
}

/** The rows as Markdown: one table for the processor, and one per adapter. */
export function markdown(here: Machine, rows: readonly Row[]): string {
  const adapters = [...new Set(rows.map((row) => row.adapter))];
  const tables = adapters.flatMap((adapter) => {
    const mine = rows.filter((row) => row.adapter === adapter);
    return adapter === null
      ? ['', ...table(onProcessor, mine)]
      : ['', `WebGPU: ${adapter}`, '', ...table(onAdapter, mine)];
  });
  return [describeMachine(here), '', ...describeLimits(here), ...tables].join('\n');
}

function table(columns: readonly Column[], rows: readonly Row[]): string[] {
  const cells = [columns.map(({ title }) => title), ...rows.map((row) => columns.map((column) => column.of(row)))];
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => line[i]?.length ?? 0)));
  const [head = '', ...lines] = cells.map((line) => {
    const padded = line.map((text, i) =>
      columns[i]?.isText ? text.padEnd(widths[i] ?? 0) : text.padStart(widths[i] ?? 0),
    );
    return `| ${padded.join(' | ')} |`;
  });
  const rule = columns.map(({ isText }, i) =>
    isText ? '-'.repeat((widths[i] ?? 0) + 2) : `${'-'.repeat((widths[i] ?? 0) + 1)}:`,
  );
  return [head, `|${rule.join('|')}|`, ...lines];
}

/** "12 MiB". */
export function mebibytes(bytes: number): string {
  const mib = bytes / 2 ** 20;
  return mib >= 10 ? `${Math.round(mib)} MiB` : `${mib.toPrecision(2)} MiB`;
}

/** Three digits of a number of milliseconds. */
export function digits(ms: number): string {
  return ms >= 100 ? ms.toFixed(0) : ms.toPrecision(3);
}

/** Whether the engine computed something else than the reference. */
export function isWrong({ difference }: Row): boolean {
  return difference !== null && !(difference <= TOLERANCE);
}

/** Per work and thread count: Sinter beside the fastest of the peers that run where it runs, and native code beside native code. */
export function verdicts(rows: readonly Row[]): string[] {
  const native = new Set(engines.filter((engine) => engine.native).map((engine) => engine.name));
  return rows
    .filter((row) => row.engine === 'sinter' || row.engine === 'sinter-native')
    .map((ours) => {
      const [peer] = rows
        .filter((row) => row.work === ours.work && row.threads === ours.threads && !row.engine.startsWith('sinter'))
        .filter((row) => native.has(row.engine) === native.has(ours.engine))
        .sort((a, b) => a.median_ms - b.median_ms);
      const said = [
        peer ? `${(peer.median_ms / ours.median_ms).toFixed(2)}× as fast as ${peer.engine}` : 'no peer',
        ...(peer && ours.adapter ? [`${(ours.cpu_ms / peer.cpu_ms).toFixed(2)} of its processor time`] : []),
        ...(peer?.gpu && ours.gpu ? [fewer(ours.gpu, peer.gpu)] : []),
      ];
      return `${ours.engine}, ${nameOf(ours)}: ${said.join('; ')}`;
    });
}

function fewer(ours: GpuCounts, theirs: GpuCounts): string {
  const share = (key: 'kernels' | 'dispatches' | 'bytes') => `${Math.round((100 * ours[key]) / theirs[key])} %`;
  return `${share('kernels')} of its kernels, ${share('dispatches')} of its dispatches, ${share('bytes')} of its bytes moved`;
}

function nameOf({ work, threads }: Row): string {
  return threads === null ? work : `${work}, threads ${threads}`;
}

/** What makes figures of this run doubtful. */
export function notes(rows: readonly Row[]): string[] {
  const disturbed = rows.filter((row) => row.other_cores > 0.1).length;
  return [
    ...rows.flatMap((row) => {
      const where = `${row.engine}, ${nameOf(row)}:`;
      const by = `output differs from ${row.reference} by ${row.difference} (allowed ${TOLERANCE})`;
      return [...(isWrong(row) ? [`WRONG ${where} ${by}`] : []), ...row.notes.map((note) => `note: ${where} ${note}`)];
    }),
    ...(disturbed
      ? [`note: in ${disturbed} of ${rows.length} rows other programs kept the machine busy: read them as rough`]
      : []),
  ];
}
