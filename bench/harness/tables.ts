/**
 * The figures of a run as a section of a page: a table per kind of engine and thread count, in which a work is a line and an
 * engine a column. The page keeps what is written around the section.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { engines } from '../engines/index.ts';
import { describeLimits } from '../limits/limits.ts';
import type { Shipped } from '../start/sizes.ts';
import type { CompileTime, Start } from '../start/starts.ts';
import { verdictsOn } from './aims.ts';
import { describeMachine, digits, mebibytes, shareOf, type Machine, type Row } from './report.ts';

/** All that a run has measured; what `--json` writes. */
export interface Results {
  readonly machine: Machine;
  readonly rows: readonly Row[];
  readonly starts: readonly Start[];
  readonly compiling: readonly CompileTime[];
  readonly shipped: readonly Shipped[];
}

const BEGIN = '<!-- figures of the processor: npm run bench -->';
const END = '<!-- end of the figures -->';

/**
 * Replaces the section of a page with these figures.
 * @throws Error when the page does not mark the section
 */
export function writeSection(path: string, results: Results): void {
  const page = readFileSync(path, 'utf8');
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${path} has no section between "${BEGIN}" and "${END}"`);
  const section = [BEGIN, '', ...sectionOf(results), ''].join('\n');
  writeFileSync(path, page.slice(0, begin) + section + page.slice(end));
}

/** Engines that are compared with each other, ours first. */
const kinds = [
  { title: 'WebAssembly', ours: 'sinter', peers: ['onnxruntime-web', 'tfjs-wasm', 'jax-js'] },
  { title: 'Native code', ours: 'sinter-native', peers: ['onnxruntime-node', 'torch'] },
] as const;

function sectionOf({ machine, rows, starts, compiling, shipped }: Results): string[] {
  const onProcessor = rows.filter(({ threads }) => threads !== null);
  const counts = [...new Set(onProcessor.map(({ threads }) => threads))].sort();
  const versions = new Set(
    kinds
      .flatMap(({ ours, peers }) => [ours, ...peers])
      .flatMap((name) => {
        const version = onProcessor.find(({ engine }) => engine === name)?.version;
        return version ? [version] : [];
      }),
  );
  return [
    `${describeMachine(machine)}. ${[...versions].join(', ')}.`,
    '',
    ...describeLimits(machine),
    ...titled('Aims', aimTable({ machine, rows, starts, compiling, shipped })),
    ...kinds.flatMap((kind) =>
      counts.flatMap((threads) => {
        const mine = onProcessor.filter((row) => row.threads === threads);
        const alone = onProcessor.filter((row) => row.threads === 1);
        return ['', `### ${kind.title}, ${threads === 1 ? '1 thread' : `${threads} threads`}`, '', ...comparison(kind, mine, threads === 1 ? [] : alone)]; // prettier-ignore
      }),
    ),
    ...titled('Peak memory of the process', memory(onProcessor)),
    ...titled('Start to first result', startTable(starts)),
    ...titled('Compile time', compileTable(compiling)),
    ...titled('Bytes that are shipped, without weights', sizeTable(shipped)),
  ];
}

const titled = (title: string, table: readonly string[]): string[] =>
  table.length ? ['', `### ${title}`, '', ...table] : [];

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
const head = (first: string, others: readonly string[]): string[] => [
  line([first, ...others]),
  line(['---', ...others.map(() => '--:')]),
];

/** Milliseconds of each engine, those of peers with the ratio to ours. */
function comparison({ ours, peers }: (typeof kinds)[number], rows: readonly Row[], alone: readonly Row[]): string[] {
  const here = peers.filter((peer) => rows.some(({ engine }) => engine === peer));
  const works = [...new Set(rows.filter(({ engine }) => engine === ours).map(({ work }) => work))];
  const lines = works.map((work) => {
    const of = (engine: string, among = rows) => among.find((row) => row.work === work && row.engine === engine);
    const mine = of(ours)!;
    const single = of(ours, alone);
    const theirs = here.map((peer) => {
      const row = of(peer);
      return row ? `${digits(row.median_ms)} (${(row.median_ms / mine.median_ms).toFixed(2)}×)` : '';
    });
    const rate = mine.gflops === null ? '' : mine.gflops.toFixed(0);
    const scaling = alone.length ? [single ? `${(single.median_ms / mine.median_ms).toFixed(2)}×` : ''] : [];
    return line([work, `**${digits(mine.median_ms)}**`, rate, shareOf(mine), ...scaling, ...theirs]);
  });
  const scaling = alone.length ? ['as 1 thread'] : [];
  return lines.length ? [...head('work, ms', [ours, 'GFLOP/s', 'of the limit', ...scaling, ...here]), ...lines] : [];
}

/** Of works whose memory says something: whole models, on one thread. */
function memory(rows: readonly Row[]): string[] {
  const models = rows.filter(({ work, threads }) => threads === 1 && /MiniLM|GPT/.test(work));
  const names = [...new Set(engines.map(({ name }) => name))].filter((name) =>
    models.some((row) => row.engine === name),
  );
  const works = [...new Set(models.map(({ work }) => work))];
  const lines = works.map((work) =>
    line([
      work,
      ...names.map((name) => {
        const row = models.find((one) => one.work === work && one.engine === name);
        return row ? mebibytes(row.peak_rss_bytes) : '';
      }),
    ]),
  );
  return lines.length ? [...head('1 thread', names), ...lines] : [];
}

/** Aims as Markdown: the worst figure of each, where it comes from, and the best. */
export function aimTable(results: Results): string[] {
  const lines = verdictsOn(results).map(({ aim, wanted, reached, met }) =>
    line([aim, wanted, reached, met ? 'yes' : '**no**']),
  );
  return lines.length ? [line(['aim', 'wanted', 'reached', 'met']), line(['---', '--:', '---', '---']), ...lines] : [];
}

/** Starts as Markdown. */
export function startTable(starts: readonly Start[]): string[] {
  const lines = starts.map((s) => line([s.engine, digits(s.median_ms), mebibytes(s.peak_rss_bytes)]));
  return lines.length ? [...head(starts[0]!.work, ['ms', 'peak memory']), ...lines] : [];
}

/** Compile times as Markdown. */
export function compileTable(times: readonly CompileTime[]): string[] {
  const lines = times.map(({ target, cache, graph_ms, build_ms, load_ms }) =>
    line([
      `${target}, ${cache === 'cold' ? 'nothing kept' : 'from the cache'}`,
      ...[graph_ms, build_ms, load_ms, graph_ms + build_ms + load_ms].map(digits),
    ]),
  );
  return lines.length ? [...head(`${times[0]!.work}, ms`, ['graph', 'build', 'load', 'all']), ...lines] : [];
}

/** Sizes as Markdown. */
export function sizeTable(shipped: readonly Shipped[]): string[] {
  const kilobytes = (bytes: number | null): string => (bytes === null ? '' : `${(bytes / 1000).toFixed(0)} kB`);
  const lines = shipped.map(({ engine, what, bytes, gzip_bytes }) =>
    line([`${engine}: ${what}`, kilobytes(bytes), kilobytes(gzip_bytes)]),
  );
  return lines.length ? [...head('engine', ['minified', 'gzip']), ...lines] : [];
}
