/**
 * What a page downloads to run a compiled model: the runtime half of a backend and the loader of artifacts, bundled and minified
 * as an app would, with the worker that is fetched beside them. No compiler may come along, and it stays small.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const limit = 30_000;

const runtimes = [
  { backend: 'backend-cpu', create: 'cpuRuntime', workers: ['src/runtime/worker.js'] },
  { backend: 'backend-webgpu', create: 'webgpuRuntime', workers: [] },
];

interface Bundled {
  /** What is there before anything runs. */
  readonly code: string;
  /** What is fetched only where it is needed: code for Node, for one. */
  readonly later: readonly string[];
  /** The files that are in `code`, relative to the repository. */
  readonly modules: readonly string[];
}

/** Bundles and minifies a module given as text, or one of the repository's files. */
async function bundle(text: string): Promise<Bundled> {
  const entry = join(root, 'test/an-app.js');
  const built = await rolldown({
    input: entry,
    platform: 'browser',
    external: /^node:/,
    resolve: { conditionNames: ['@sinter/source', 'import', 'default'] },
    plugins: [
      { name: 'app', load: (id) => (id === entry ? text : null), resolveId: (id) => (id === entry ? id : null) },
    ],
    logLevel: 'silent',
  });
  const { output } = await built.generate({ minify: true, dir: dirname(entry) });
  await built.close();
  const chunks = output.flatMap((chunk) => (chunk.type === 'chunk' ? [chunk] : []));
  const first = new Set<string>();
  const visit = (name: string): void => {
    const chunk = chunks.find(({ fileName }) => fileName === name);
    if (!chunk || first.has(name)) return;
    first.add(name);
    chunk.imports.forEach(visit);
  };
  visit(chunks.find((chunk) => chunk.isEntry)!.fileName);
  const at = (now: boolean) => chunks.filter(({ fileName }) => first.has(fileName) === now);
  return {
    code: at(true)
      .map(({ code }) => code)
      .join(''),
    later: at(false).map(({ fileName, code }) => `${fileName} ${code.length}`),
    modules: at(true).flatMap((chunk) => Object.keys(chunk.modules).map((path) => relative(root, path))),
  };
}

const bytes = (text: string): number => new TextEncoder().encode(text).length;

describe.each(runtimes.filter(({ backend }) => existsSync(join(root, 'packages', backend, 'src/runtime/index.ts'))))(
  '$backend',
  ({ backend, create, workers }) => {
    const app = bundle(`
      import { loadBundle, urlSource } from '@sinter/compiler/artifact';
      import { ${create} } from '@sinter/${backend}/runtime';
      export const load = (url, options) => loadBundle(urlSource(url), ${create}(), options);`);

    test('the runtime and the loader need no compiler', async () => {
      const allowed = /^(packages\/(compiler\/src\/artifact|ir\/src|[^/]+\/src\/runtime)\/|test\/an-app\.js)/;
      expect((await app).modules.filter((path) => !allowed.test(path))).toEqual([]);
      expect((await app).modules.filter((path) => /^packages\/ir\/src\/(ops|functions)\//.test(path))).toEqual([]);
    });

    test(`minified they are less than ${limit} bytes`, async () => {
      const { code, later } = await app;
      const beside = await Promise.all(
        workers.map((path) => bundle(readFileSync(join(root, 'packages', backend, path), 'utf8'))),
      );
      const all = [code, ...beside.map((worker) => worker.code)].join('');
      const [size, zipped] = [bytes(all), gzipSync(all).length];
      console.log(
        `${backend}: runtime and loader ${size} bytes minified, ${zipped} gzipped; later: ${later.join(', ') || 'nothing'}`,
      );
      expect(size).toBeLessThan(limit);
    });
  },
);
