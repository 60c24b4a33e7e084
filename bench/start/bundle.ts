/**
 * Engines as plain JavaScript, for processes that are timed from their start: Node would spend most of that time on compiling
 * TypeScript. Peers are imported as they are installed, and what is ours is bundled as our packages are when they are published.
 */
import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
/** Beside `node_modules`, so that the peers are found. */
const folder = here('../.cache');

/** The engines, by the name of their file in `engines/`. */
const entries = ['sinter', 'sinter-file', 'compile-time', 'ort-node', 'ort-web', 'tfjs', 'jax'] as const;

/** Bundles them; returns the path of each. */
export async function bundleEngines(): Promise<(engine: (typeof entries)[number]) => string> {
  rmSync(folder, { recursive: true, force: true });
  const built = await rolldown({
    input: Object.fromEntries(entries.map((name) => [name, here(`../engines/${name}.ts`)])),
    platform: 'node',
    transform: { target: 'node20' },
    external: [/^(onnxruntime|@tensorflow|@jax-js)/, 'koffi', 'webgpu'],
    resolve: { conditionNames: ['@sinter/source', 'import', 'default'] },
    logLevel: 'silent',
  });
  await built.write({ dir: folder, entryFileNames: '[name].mjs', chunkFileNames: '[name]-[hash].mjs' });
  await built.close();
  copyFileSync(here('../../packages/backend-cpu/src/runtime/worker.js'), join(folder, 'worker.js'));
  return (engine) => join(folder, `${engine}.mjs`);
}
