/** How long compiling a work takes: `node compile-time.ts WORK TARGET [CACHE]` times the steps of `compile` in a fresh process. */
import { cpu } from '@sinter/backend-cpu';
import { build } from '@sinter/compiler';
import { diskCache } from '@sinter/compiler/cache';
import { sinterGraph } from '../drive/sinter.ts';
import type { Compiled } from '../harness/protocol.ts';
import { enableRelaxedSimd } from '../harness/serve.ts';
import { findWork } from '../works/index.ts';

const [, , name = '', target, folder] = process.argv;
const work = findWork(name);
if (!work.programs.sinter) throw new Error(`"${name}" has no program in the language sinter`);
enableRelaxedSimd();

const start = performance.now();
const backend = cpu({ target: target as 'wasm' | 'native' });
const graph = sinterGraph(work, work.programs.sinter);
const graphed = performance.now();
const artifact = await build(graph, backend, folder === undefined ? {} : { cache: diskCache(folder) });
const built = performance.now();
const program = await backend.load(artifact);
const loaded = performance.now();
program.close();

const reply: Compiled = {
  kind: 'compiled',
  graphMs: graphed - start,
  buildMs: built - graphed,
  loadMs: loaded - built,
};
process.send?.(reply, () => process.exit());
