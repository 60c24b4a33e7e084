/** The engines: what each reads, and the process that runs it. */
import { fileURLToPath } from 'node:url';
import { findPython } from '../../tools/python.ts';
import { tensorsOf, type Place, type Programs, type Work } from '../harness/work.ts';
import { isOfAdamw } from '../works/adamw.ts';

/** How to start an engine's process. */
export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** One engine at one place; the same engine elsewhere has the same name. */
export interface Engine {
  readonly name: string;
  readonly place: Place;
  readonly language: keyof Programs;
  /** Native code: an upper mark and not a peer. */
  readonly native: boolean;
  /** The works that it is there for; all when missing. */
  readonly only?: RegExp;
  /** The most threads it can use, with the reason; no limit when missing. */
  readonly limit?: { readonly threads: number; readonly because: string };
  /**
   * @param threads - for works on the processor
   * @param folder - where the work lies as files, for an engine that is timed from its start
   * @throws Error when the machine lacks what the engine needs
   */
  command(work: Work, threads: number, folder?: string): Command;
}

/** All engines, in the order of the table. */
export const engines: readonly Engine[] = [
  { name: 'sinter', place: 'cpu', language: 'sinter', native: false, command: node('sinter.ts') },
  {
    name: 'sinter-native',
    place: 'cpu',
    language: 'sinter',
    native: true,
    command: node('sinter.ts', 'native'),
  },
  {
    name: 'sinter-plain',
    place: 'cpu',
    language: 'sinter',
    native: false,
    only: /^matmul/,
    command: node('sinter.ts', 'plain'),
  },
  { name: 'onnxruntime-web', place: 'cpu', language: 'onnx', native: false, command: node('ort-web.ts') },
  {
    name: 'tfjs-wasm',
    place: 'cpu',
    language: 'tfjs',
    native: false,
    limit: { threads: 1, because: 'its threaded WebAssembly build does not start in Node' },
    command: node('tfjs.ts'),
  },
  { name: 'jax-js', place: 'cpu', language: 'jax', native: false, command: node('jax.ts') },
  { name: 'onnxruntime-node', place: 'cpu', language: 'onnx', native: true, command: node('ort-node.ts') },
  { name: 'torch', place: 'cpu', language: 'torch', native: true, command: python('torch_engine.py') },
  { name: 'sinter', place: 'cpu', language: 'writes', native: false, command: node('sinter-writes.ts') },
  {
    name: 'sinter-native',
    place: 'cpu',
    language: 'writes',
    native: true,
    command: node('sinter-writes.ts', 'native'),
  },
  { name: 'transformers.js', place: 'cpu', language: 'writes', native: true, command: node('transformers-js.ts') },
  { name: 'sinter', place: 'cpu', language: 'embeds', native: false, command: node('sinter-embeds.ts') },
  {
    name: 'sinter-native',
    place: 'cpu',
    language: 'embeds',
    native: true,
    command: node('sinter-embeds.ts', 'native'),
  },
  {
    name: 'transformers.js',
    place: 'cpu',
    language: 'embeds',
    native: true,
    command: node('transformers-js-embeds.ts'),
  },
  { name: 'sinter', place: 'webgpu', language: 'sinter', native: false, command: node('sinter.ts') },
  { name: 'jax-js', place: 'webgpu', language: 'jax', native: false, command: node('jax.ts') },
  { name: 'sinter', place: 'webgpu in Chromium', language: 'sinter', native: false, command: page('sinter') },
  { name: 'jax-js', place: 'webgpu in Chromium', language: 'jax', native: false, command: page('jax-js') },
  {
    name: 'onnxruntime-web',
    place: 'webgpu in Chromium',
    language: 'onnx',
    native: false,
    command: page('onnxruntime-web'),
  },
];

function node(file: string, ...rest: readonly string[]): Engine['command'] {
  const args = [...process.execArgv, fileURLToPath(new URL(file, import.meta.url))];
  return (work, threads) => ({ command: process.execPath, args: [...args, work.name, String(threads), ...rest] });
}

function page(engine: string): Engine['command'] {
  return node('page.ts', engine);
}

function python(file: string): Engine['command'] {
  let found: string | undefined;
  return (work, threads, folder) => {
    found ??= findPython(['torch', 'numpy']);
    if (!found) throw new Error('no Python with torch and numpy here');
    const job = JSON.stringify({
      threads,
      program: work.programs.torch,
      ...(folder !== undefined && { folder }),
      tensors: tensorsOf(work).filter(({ name }) => !isOfAdamw(name)), // it brings its own
    });
    // Spinning OpenMP threads and OpenBLAS's own get in each other's way.
    const env = { OMP_NUM_THREADS: String(threads), OPENBLAS_NUM_THREADS: String(threads), OMP_WAIT_POLICY: 'passive' };
    return { command: found, args: [fileURLToPath(new URL(file, import.meta.url)), job], env };
  };
}
