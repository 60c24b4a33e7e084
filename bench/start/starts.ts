/** What comes before the first run: start to first result, of every engine, and what compiling takes. */
import { createWriteStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { cpu } from '@sinter/backend-cpu';
import { build } from '@sinter/compiler';
import { encodeBundle } from '@sinter/compiler/artifact';
import { onnxModel } from '../drive/onnx.ts';
import { sinterGraph } from '../drive/sinter.ts';
import { engines, type Command } from '../engines/index.ts';
import { leftOut } from '../harness/compare.ts';
import { files, writeTensors } from '../harness/files.ts';
import { timeFirst } from '../harness/peer.ts';
import { difference, type Compiled, type First } from '../harness/protocol.ts';
import { median } from '../harness/report.ts';
import { FILES } from '../harness/serve.ts';
import { seeded, tensorsOf, type Work } from '../harness/work.ts';
import { bundleEngines } from './bundle.ts';

/** From the start of a process to its first result. Field names are those of the JSON file. */
export interface Start {
  readonly work: string;
  readonly engine: string;
  readonly version: string;
  readonly median_ms: number;
  readonly peak_rss_bytes: number;
  /** Largest difference from the output of onnxruntime-node, relative to its largest element. */
  readonly difference: number | null;
}

/** The steps of compiling, in milliseconds. */
export interface CompileTime {
  readonly work: string;
  readonly target: string;
  readonly cache: 'cold' | 'warm';
  readonly graph_ms: number;
  readonly build_ms: number;
  readonly load_ms: number;
}

type Bundled = Awaited<ReturnType<typeof bundleEngines>>;

/** Starts every engine `rounds` times, in turns; each runs the work once, from weights on the disk that are in the system's memory. */
export async function measureStarts(work: Work, rounds: number): Promise<Start[]> {
  const folder = mkdtempSync(join(tmpdir(), 'sinter-bench-'));
  try {
    await writeFiles(work, folder);
    const starters = startersOf(work, folder, await bundleEngines());
    const seen = new Map<string, { ms: number; said: First }[]>();
    for (let round = 0; round <= rounds; round++) {
      for (const [engine, command] of starters) {
        try {
          const { ms, said } = await timeFirst(command());
          if (round === 0)
            seen.set(engine, []); // fills caches: of the disk, of compiled C
          else seen.get(engine)?.push({ ms, said });
        } catch (error) {
          leftOut(engine, error);
          seen.delete(engine);
          starters.delete(engine);
        }
      }
    }
    const reference = seen.get('onnxruntime-node')?.[0]?.said.output;
    return [...seen].flatMap(([engine, runs]): Start[] => {
      const said = runs[0]?.said;
      if (!said) return [];
      return [
        {
          work: work.name,
          engine,
          version: said.version,
          median_ms: median(runs.map(({ ms }) => ms)),
          peak_rss_bytes: Math.max(...runs.map((run) => run.said.peakRssBytes)),
          difference: reference ? difference([said.output], [reference]) : null,
        },
      ];
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** How each engine is started; those of Sinter also with its compiler, without and with a cache. */
function startersOf(work: Work, folder: string, bundled: Bundled): Map<string, () => Command> {
  const node = (file: Parameters<Bundled>[0], ...rest: readonly string[]) => {
    const args = [bundled(file), work.name, '1', `${FILES}${folder}`, ...rest];
    return (): Command => ({ command: process.execPath, args });
  };
  const torch = engines.find(({ name }) => name === 'torch');
  return new Map([
    ['sinter', node('sinter-file')],
    ['sinter-native', node('sinter-file', 'native')],
    ['sinter, compiling', node('sinter')],
    ['sinter, compiled once', node('sinter', 'cached')],
    ['onnxruntime-web', node('ort-web')],
    ['tfjs-wasm', node('tfjs')],
    ['jax-js', node('jax')],
    ['onnxruntime-node', node('ort-node')],
    ['torch', () => torch!.command(work, 1, folder)],
  ]);
}

/** The work as each engine's users have it on their disk. */
async function writeFiles(work: Work, folder: string): Promise<void> {
  const { sinter } = work.programs;
  if (!sinter) throw new Error(`"${work.name}" has no program in the language sinter`);
  writeTensors(work, folder);
  writeFileSync(join(folder, files.onnx), onnxModel(work));
  const params = tensorsOf(work).filter(({ role }) => role === 'param');
  const weights = Object.fromEntries(params.map((tensor) => [tensor.name, { ...tensor, data: seeded(tensor) }]));
  for (const [target, name] of [
    ['wasm', files.sinter],
    ['native', files.native],
  ] as const) {
    try {
      const main = await build(sinterGraph(work, sinter), cpu({ target, threads: 1 }));
      const { files: made } = await encodeBundle({ name, entries: { main }, weights });
      await pipeline(Readable.from(made[0].read()), createWriteStream(join(folder, name)));
    } catch (error) {
      leftOut(`sinter, ${target}`, error);
    }
  }
}

/** Compiles a work in fresh processes: with nothing kept from before, and with everything. */
export async function measureCompiling(work: Work, rounds: number): Promise<CompileTime[]> {
  const bundled = await bundleEngines();
  const times: CompileTime[] = [];
  for (const target of ['wasm', 'native']) {
    const folder = mkdtempSync(join(tmpdir(), 'sinter-bench-'));
    const once = async (cache: string): Promise<Compiled> => {
      const args = [bundled('compile-time'), work.name, target, join(folder, cache, 'plans')];
      const command = { command: process.execPath, args, env: { XDG_CACHE_HOME: join(folder, cache) } };
      return (await timeFirst<Compiled>(command)).said;
    };
    try {
      const cold: Compiled[] = [];
      const warm: Compiled[] = [];
      for (let round = 0; round < rounds; round++) cold.push(await once(`cold${round}`));
      for (let round = 0; round < rounds; round++) warm.push(await once('cold0'));
      for (const [cache, runs] of [
        ['cold', cold],
        ['warm', warm],
      ] as const) {
        const of = (key: 'graphMs' | 'buildMs' | 'loadMs') => median(runs.map((run) => run[key]));
        times.push({
          work: work.name,
          target,
          cache,
          graph_ms: of('graphMs'),
          build_ms: of('buildMs'),
          load_ms: of('loadMs'),
        });
      }
    } catch (error) {
      leftOut(`sinter, ${target}`, error);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
  return times;
}
