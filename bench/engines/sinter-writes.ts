/** Sinter, from the folder of a model to the text that it writes; with `native` as compiled C, else as WebAssembly. */
import { cpu } from '@sinter/backend-cpu';
import { GPT2LMHeadModel } from '@sinter/models';
import { serve } from '../harness/serve.ts';
import { materialize } from '../harness/work.ts';
import { folderOf } from '../writing/folder.ts';
import { versionOf } from './version.ts';

await serve('writes', async (work, program, threads) => {
  const model = await GPT2LMHeadModel.from_pretrained(folderOf(program));
  const backend = cpu({ threads, target: process.argv.includes('native') ? 'native' : 'wasm' });
  const input_ids = materialize(work, ({ shape }, data) => ({ data: data as Int32Array, shape: [...shape] }))('ids');
  const run = () => model.generate({ input_ids }, { max_new_tokens: program.tokens, backend });
  return {
    run,
    output: async () => (await run()).data as Int32Array,
    version: `sinter ${versionOf('../../packages/models')}`,
  };
});
