/** transformers.js on onnxruntime-node, from the folder of a model to the text that it writes. */
import { dirname, basename } from 'node:path';
import { AutoModelForCausalLM, env, Tensor } from '@huggingface/transformers';
import { serve } from '../harness/serve.ts';
import { materialize } from '../harness/work.ts';
import { folderOf } from '../writing/folder.ts';

await serve('writes', async (work, program, threads) => {
  const folder = folderOf(program);
  env.localModelPath = dirname(folder);
  env.allowRemoteModels = false;
  const model = await AutoModelForCausalLM.from_pretrained(basename(folder), {
    dtype: 'fp32',
    device: 'cpu',
    session_options: { intraOpNumThreads: threads, interOpNumThreads: 1 },
  });
  const ids = materialize(work, (_, data) => [...(data as Int32Array)])('ids');
  const tensor = (numbers: readonly number[]) =>
    new Tensor('int64', BigInt64Array.from(numbers, BigInt), [1, numbers.length]);
  const run = () =>
    model.generate({
      inputs: tensor(ids),
      attention_mask: tensor(ids.map(() => 1)),
      max_new_tokens: program.tokens,
      do_sample: false,
    } as never) as unknown as Promise<Tensor>;
  return {
    run,
    output: async () => Array.from((await run()).data as BigInt64Array, Number),
    version: `transformers.js ${env.version}`,
  };
});
