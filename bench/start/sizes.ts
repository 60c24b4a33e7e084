/** What a user ships: the bytes a page downloads before it can run a model, and what the native engines install. */
import { lstatSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';
import { cpu } from '@sinter/backend-cpu';
import { build } from '@sinter/compiler';
import { sinterGraph } from '../drive/sinter.ts';
import type { Work } from '../harness/work.ts';

/** Bytes by engine; without weights. Field names are those of the JSON file. */
export interface Shipped {
  readonly engine: string;
  readonly what: string;
  readonly bytes: number;
  /** Compressed, for what a page downloads. */
  readonly gzip_bytes: number | null;
}

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const peers = here('../node_modules');
const ours = (name: string): string => here(`../../node_modules/${name}`);

/** What pages import, and the files that they fetch beside it. */
const pages: readonly { engine: string; what: string; code: string; beside: readonly string[] }[] = [
  {
    engine: 'sinter',
    what: 'runtime, loader and worker',
    code: `export { cpuRuntime } from '@sinter/backend-cpu/runtime'; export { loadBundle, urlSource } from '@sinter/compiler/artifact';`,
    beside: [here('../../packages/backend-cpu/src/runtime/worker.js')],
  },
  {
    engine: 'sinter, compiling in the page',
    what: 'all of the CPU backend and the compiler, and the worker',
    code: `export { cpu } from '@sinter/backend-cpu'; export { compile } from '@sinter/compiler'; export * from '@sinter/ir';`,
    beside: [here('../../packages/backend-cpu/src/runtime/worker.js')],
  },
  {
    engine: 'onnxruntime-web',
    what: 'its WebAssembly build',
    code: `export * from 'onnxruntime-web/wasm';`,
    beside: [join(peers, 'onnxruntime-web/dist/ort-wasm-simd-threaded.wasm')],
  },
  {
    engine: 'tfjs-wasm',
    what: 'core with chained ops, WebAssembly backend',
    code: `export * from '@tensorflow/tfjs-core'; import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops'; import '@tensorflow/tfjs-backend-wasm';`,
    beside: [join(peers, '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm')],
  },
  { engine: 'jax-js', what: 'all of it', code: `export * from '@jax-js/jax';`, beside: [] },
];

/** Measures all of it; what cannot be measured is said and left out. */
export async function measureSizes(work: Work, leaveOut: (engine: string, error: unknown) => void): Promise<Shipped[]> {
  const shipped: Shipped[] = [];
  const add = async (engine: string, make: () => Promise<Shipped> | Shipped): Promise<void> => {
    try {
      shipped.push(await make());
    } catch (error) {
      leaveOut(engine, error);
    }
  };
  for (const { engine, what, code, beside } of pages)
    await add(engine, async () => {
      const parts = [Buffer.from(await minified(code)), ...beside.map((path) => readFileSync(path))];
      return { engine, what, ...total(parts) };
    });
  await add('sinter', async () => {
    const artifact = await build(sinterGraph(work, work.programs.sinter!), cpu({ threads: 1 }));
    const parts = Object.values(artifact.code).map((part) => Buffer.from(part));
    return { engine: 'sinter', what: `code of ${work.name}, with and without fused multiply-add`, ...total(parts) };
  });
  await add('onnxruntime-node', () =>
    installed('onnxruntime-node', 'installed for this platform', join(peers, 'onnxruntime-node')),
  );
  await add('sinter-native', () =>
    installed('sinter-native', 'koffi, installed for this platform', ours('koffi'), ours('@koromix')),
  );
  return shipped;
}

async function minified(code: string): Promise<string> {
  const entry = here('an-app.js');
  const built = await rolldown({
    input: entry,
    platform: 'browser',
    transform: { target: 'es2022' },
    external: /^node:/,
    resolve: { conditionNames: ['@sinter/source', 'onnxruntime-web-use-extern-wasm', 'import', 'default'] },
    plugins: [
      { name: 'app', load: (id) => (id === entry ? code : null), resolveId: (id) => (id === entry ? id : null) },
    ],
    logLevel: 'silent',
  });
  const { output } = await built.generate({ minify: true, codeSplitting: false });
  await built.close();
  return output.map((chunk) => (chunk.type === 'chunk' ? chunk.code : '')).join('');
}

function total(parts: readonly Buffer[]): Pick<Shipped, 'bytes' | 'gzip_bytes'> {
  const sum = (of: (part: Buffer) => number): number => parts.reduce((all, part) => all + of(part), 0);
  return { bytes: sum((part) => part.length), gzip_bytes: sum((part) => gzipSync(part).length) };
}

/** What lies in folders, of this platform alone where they carry others too. */
function installed(engine: string, what: string, ...folders: readonly string[]): Shipped {
  const others = new Set(['darwin', 'win32', 'linux', 'x64', 'arm64']);
  for (const mine of [process.platform, process.arch]) others.delete(mine);
  const bytesOf = (path: string): number => {
    const found = lstatSync(path);
    if (!found.isDirectory()) return found.isSymbolicLink() ? 0 : found.size;
    return readdirSync(path).reduce((sum, name) => sum + (others.has(name) ? 0 : bytesOf(join(path, name))), 0);
  };
  return { engine, what, bytes: folders.reduce((sum, folder) => sum + bytesOf(folder), 0), gzip_bytes: null };
}
