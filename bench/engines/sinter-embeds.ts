/** Sinter's pipeline, from texts to vectors; with `native` as compiled C, else as WebAssembly. */
import { cpu } from '@sinter/backend-cpu';
import { pipeline } from '@sinter/models';
import { folderOf, mailsOf } from '../embedding/folder.ts';
import { serve } from '../harness/serve.ts';
import { versionOf } from './version.ts';

await serve('embeds', async (_, program, threads) => {
  const texts = await mailsOf(program);
  const backend = cpu({ threads, target: process.argv.includes('native') ? 'native' : 'wasm' });
  const embed = await pipeline('feature-extraction', await folderOf(program), { backend, batch_size: 32 });
  const run = () => embed(texts, { pooling: 'mean', normalize: true });
  return {
    run,
    output: async () => (await run()).flatMap((vector) => [...vector]),
    version: `sinter ${versionOf('../../packages/models')}`,
  };
});
