/**
 * Makes one module of the runtime half of a backend and the loader. It imports nothing: the CPU's worker is a text inside
 * of it, which is started from a `data:` address in Node and from a `blob:` address in browsers, where a worker must have the
 * page's origin to share memory with it.
 */
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import type { Plugin } from 'rolldown';
import { CliError } from '../errors.ts';

/** The entry modules, by backend. */
const entryModules: Readonly<Record<string, string>> = { cpu: 'cpu', webgpu: 'webgpu' };

/** How code names the file of a worker: a form that bundlers understand. */
const workerAddress = /new URL\((['"])(\.\/[\w.-]+\.js)\1,\s*import\.meta\.url\)/g;

/**
 * The text of a standalone module that loads `file`, which lies beside it.
 * @throws CliError where there is no standalone form of the backend
 */
export async function bundleStandalone(backend: string, file: string): Promise<string> {
  const name = entryModules[backend];
  if (name === undefined)
    throw new CliError(
      `--standalone: there is no standalone form of the backend '${backend}'; there is one of ${Object.keys(entryModules).join(', ')}`,
    );
  // From source or built: the entry module lies beside this one and has the same ending.
  const fromSource = import.meta.url.endsWith('.ts');
  const bundle = await rolldown({
    input: fileURLToPath(new URL(`./runtime/${name}.${fromSource ? 'ts' : 'js'}`, import.meta.url)),
    platform: 'neutral',
    resolve: { conditionNames: [...(fromSource ? ['@sinter/source'] : []), 'import', 'default'] },
    transform: { define: { SINTER_FILE: JSON.stringify(file) } },
    plugins: [inlineWorkers()],
    onLog: (level, log, handle) => handle(level === 'warn' ? 'error' : level, log),
  });
  try {
    // Lines are kept: an error that nobody catches prints its line.
    const minify = { codegen: { removeWhitespace: false } };
    const { output } = await bundle.generate({ format: 'esm', minify, comments: false, codeSplitting: false });
    const [chunk] = output;
    if (output.length !== 1 || chunk.imports.length > 0 || chunk.dynamicImports.length > 0)
      throw new CliError(
        `--standalone: the module would import ${[...chunk.imports, ...chunk.dynamicImports].join(', ')}`,
      );
    return chunk.code;
  } finally {
    await bundle.close();
  }
}

/** Replaces the address of a worker's file by that of a text: a module of its own, so that the text is there once. */
function inlineWorkers(): Plugin {
  return {
    name: 'inline-workers',
    transform(code, id) {
      const files = new Map<string, string>();
      const replaced = code.replaceAll(workerAddress, (whole, _quote, path: string) => {
        const full = resolve(dirname(id), path);
        if (!existsSync(full)) return whole;
        if (!files.has(full)) files.set(full, `worker${files.size}`);
        return `${files.get(full)}()`;
      });
      const imports = [...files].map(([full, name]) => `import { address as ${name} } from '${prefix}${full}';\n`);
      return files.size === 0 ? null : imports.join('') + replaced;
    },
    resolveId: (id) => (id.startsWith(prefix) ? `\0${id}` : null),
    load: async (id) => (id.startsWith(`\0${prefix}`) ? workerModule(id.slice(prefix.length + 1)) : null),
  };
}

/** What the names of modules with a worker's text begin with. */
const prefix = 'worker-text:';

/** The text of a module that gives the address of a worker's text. */
async function workerModule(path: string): Promise<string> {
  const bundle = await rolldown({ input: path, platform: 'neutral' });
  try {
    const { output } = await bundle.generate({ format: 'esm', minify: true });
    return `const text = ${JSON.stringify(output[0].code)};
let known;
export const address = () => known ??= typeof process !== 'undefined' && process.versions?.node
  ? new URL('data:text/javascript,' + encodeURIComponent(text))
  : URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
`;
  } finally {
    await bundle.close();
  }
}
