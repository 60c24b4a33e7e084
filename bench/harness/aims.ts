/** What Sinter is meant to reach, as ratios within one run, and what the run says of it. */
import type { Results } from './tables.ts';
import type { Row } from './report.ts';

/** An aim and how far a run came; the worst of all works that it speaks of. */
export interface Verdict {
  readonly aim: string;
  /** The least that is wanted of `reached`; of a `most` aim, the most. */
  readonly wanted: string;
  readonly reached: string;
  readonly met: boolean;
}

/** A figure and where it comes from. */
interface Figure {
  readonly value: number;
  readonly where: string;
}

interface Aim {
  readonly aim: string;
  readonly wanted: number;
  /** Whether less is better. */
  readonly most?: boolean;
  show(value: number): string;
  /** Every figure that the aim speaks of. */
  figures(results: Results): readonly Figure[];
}

const percent = (value: number): string => `${Math.round(100 * value)} %`;
const times = (value: number): string => `${value.toFixed(2)}×`;
const milliseconds = (value: number): string => `${Math.round(value)} ms`;

const at = (row: Row): string => `${row.work}, ${row.threads} ${row.threads === 1 ? 'thread' : 'threads'}`;

/** Rows of an engine whose work fits, at one thread count or at all. */
function rowsOf({ rows }: Results, engine: string, work: RegExp, threads?: number): readonly Row[] {
  return rows.filter(
    (row) =>
      row.engine === engine && work.test(row.work) && row.threads !== null && (threads ?? row.threads) === row.threads,
  );
}

/** The share of the limit that an engine reaches. */
const shares = (engine: string, work: RegExp, threads?: number) => (results: Results) =>
  rowsOf(results, engine, work, threads).flatMap((row) =>
    row.share === null ? [] : [{ value: row.share, where: at(row) }],
  );

/** How many times as fast an engine is as each of its peers. */
const against = (engine: string, work: RegExp, peers: readonly string[], threads?: number) => (results: Results) =>
  rowsOf(results, engine, work, threads).flatMap((mine) =>
    peers.flatMap((peer): Figure[] => {
      const theirs = rowsOf(results, peer, work).find((row) => row.work === mine.work && row.threads === mine.threads);
      return theirs ? [{ value: theirs.median_ms / mine.median_ms, where: `${at(mine)}: ${peer}` }] : [];
    }),
  );

/** How many times as fast two threads are as one. */
const twoThreads = (engine: string, work: RegExp) => (results: Results) =>
  rowsOf(results, engine, work, 2).flatMap((two): Figure[] => {
    const one = rowsOf(results, engine, work, 1).find((row) => row.work === two.work);
    return one ? [{ value: one.median_ms / two.median_ms, where: two.work }] : [];
  });

const memory = (engine: string) => (results: Results) =>
  rowsOf(results, engine, /fine-tuning/, 1).flatMap((mine): Figure[] => {
    const [torch] = rowsOf(results, 'torch', /fine-tuning/, 1);
    return torch ? [{ value: mine.peak_rss_bytes / torch.peak_rss_bytes, where: at(mine) }] : [];
  });

const compiling = (cache: 'cold' | 'warm') => (results: Results) =>
  results.compiling
    .filter((one) => one.target === 'wasm' && one.cache === cache)
    .map((one) => ({ value: one.graph_ms + one.build_ms + one.load_ms, where: one.work }));

const libraries = ['onnxruntime-web', 'tfjs-wasm', 'jax-js'];
const products = /^matmul/;
const given = /^matmul \d+³$/;
const packed = /^matmul .* with weights$/;
const passes = /^(softmax|layer norm|gelu)/;
const steps = /step/;

const aims: readonly Aim[] = [
  { aim: 'WebAssembly: products from 256³ up, share of the 128-bit limit', wanted: 0.9, show: percent, figures: shares('sinter', products, 1) }, // prettier-ignore
  { aim: 'the same against the best WebAssembly library', wanted: 2, show: times, figures: against('sinter', given, libraries, 1) }, // prettier-ignore
  { aim: 'the same without fused multiply-add, share of the limit', wanted: 0.72, show: percent, figures: shares('sinter-plain', products, 1) }, // prettier-ignore
  { aim: 'the same without fused multiply-add, against the best library', wanted: 1.6, show: times, figures: against('sinter-plain', given, libraries, 1) }, // prettier-ignore
  { aim: 'MiniLM forward against onnxruntime-web', wanted: 1.8, show: times, figures: against('sinter', /MiniLM forward/, ['onnxruntime-web']) }, // prettier-ignore
  { aim: 'MiniLM forward against tfjs and jax-js', wanted: 2.5, show: times, figures: against('sinter', /MiniLM forward/, ['tfjs-wasm', 'jax-js']) }, // prettier-ignore
  { aim: 'GPT training step against jax-js, 1 thread', wanted: 2.3, show: times, figures: against('sinter', /GPT training/, ['jax-js'], 1) }, // prettier-ignore
  { aim: 'GPT training step against jax-js, 2 threads', wanted: 3, show: times, figures: against('sinter', /GPT training/, ['jax-js'], 2) }, // prettier-ignore
  { aim: 'Native code: products from 512³ up with packed weights, share of the limit', wanted: 0.92, show: percent, figures: shares('sinter-native', packed, 1) }, // prettier-ignore
  { aim: 'the same against onnxruntime-node and torch', wanted: 1, show: times, figures: against('sinter-native', packed, ['onnxruntime-node', 'torch']) }, // prettier-ignore
  { aim: 'MiniLM forward against onnxruntime-node', wanted: 1, show: times, figures: against('sinter-native', /MiniLM forward/, ['onnxruntime-node']) }, // prettier-ignore
  { aim: 'GPT training step against torch, 1 thread', wanted: 1.5, show: times, figures: against('sinter-native', /GPT training/, ['torch'], 1) }, // prettier-ignore
  { aim: 'GPT training step against torch, 2 threads', wanted: 2, show: times, figures: against('sinter-native', /GPT training/, ['torch'], 2) }, // prettier-ignore
  { aim: 'MiniLM fine-tuning step against torch', wanted: 1.2, show: times, figures: against('sinter-native', /fine-tuning/, ['torch']) }, // prettier-ignore
  { aim: 'softmax, layer norm, gelu: share of the limit', wanted: 1 / 1.3, show: percent, figures: shares('sinter-native', passes, 1) }, // prettier-ignore
  { aim: 'Decoding: share of the bandwidth of memory', wanted: 0.8, show: percent, figures: shares('sinter-native', /decode/, 1) }, // prettier-ignore
  { aim: 'Two threads against one, products: WebAssembly', wanted: 1.85, show: times, figures: twoThreads('sinter', products) }, // prettier-ignore
  { aim: 'Two threads against one, products: native code', wanted: 1.85, show: times, figures: twoThreads('sinter-native', products) }, // prettier-ignore
  { aim: 'Two threads against one, training steps: WebAssembly', wanted: 1.7, show: times, figures: twoThreads('sinter', steps) }, // prettier-ignore
  { aim: 'Two threads against one, training steps: native code', wanted: 1.7, show: times, figures: twoThreads('sinter-native', steps) }, // prettier-ignore
  { aim: 'Peak memory of the fine-tuning step, of torch’s: WebAssembly', wanted: 0.6, most: true, show: percent, figures: memory('sinter') }, // prettier-ignore
  { aim: 'Peak memory of the fine-tuning step, of torch’s: native code', wanted: 0.6, most: true, show: percent, figures: memory('sinter-native') }, // prettier-ignore
  { aim: 'Compiling the fine-tuning step for WebAssembly, nothing kept', wanted: 1500, most: true, show: milliseconds, figures: compiling('cold') }, // prettier-ignore
  { aim: 'the same from the cache', wanted: 150, most: true, show: milliseconds, figures: compiling('warm') },
];

/** Every aim that the run has figures for. */
export function verdictsOn(results: Results): Verdict[] {
  return aims.flatMap(({ aim, wanted, most = false, show, figures }) => {
    const sorted = [...figures(results)].sort((a, b) => (most ? b.value - a.value : a.value - b.value));
    const [worst] = sorted;
    const best = sorted.at(-1);
    if (!worst || !best) return [];
    const range =
      sorted.length > 1 ? `${show(worst.value)} (${worst.where}) to ${show(best.value)}` : show(worst.value);
    const met = most ? worst.value <= wanted : worst.value >= wanted;
    return [{ aim, wanted: `${most ? '≤' : '≥'} ${show(wanted)}`, reached: range, met }];
  });
}
