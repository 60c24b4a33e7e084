/** The pipeline of transformers.js on onnxruntime-node, from texts to vectors. */
import { basename, dirname } from 'node:path';
import { env, pipeline } from '@huggingface/transformers';
import { folderOf, mailsOf } from '../embedding/folder.ts';
import { serve } from '../harness/serve.ts';

await serve('embeds', async (_, program, threads) => {
  const texts = await mailsOf(program);
  const folder = await folderOf(program);
  env.localModelPath = dirname(folder);
  env.allowRemoteModels = false;
  const embed = await pipeline('feature-extraction', basename(folder), {
    dtype: 'fp32',
    device: 'cpu',
    session_options: { intraOpNumThreads: threads, interOpNumThreads: 1 },
  });
  // Its tokenizer cuts the token off that ends a text; it is put back, as Python has it, so that all engines compute the same.
  const { tokenizer } = embed;
  const { max_length } = program;
  const whole = (...given: Parameters<typeof tokenizer>) => {
    const encoded = tokenizer(...given) as Record<
      'input_ids' | 'attention_mask',
      { data: BigInt64Array; dims: number[] }
    >;
    const { input_ids, attention_mask } = encoded;
    const [rows, length] = input_ids.dims as [number, number];
    for (let row = 0, last = length - 1; length === max_length && row < rows; row++, last += length)
      if (attention_mask.data[last] === 1n) input_ids.data[last] = BigInt(tokenizer.sep_token_id!);
    return encoded;
  };
  embed.tokenizer = whole as never;
  const run = async (): Promise<number[]> => {
    const vectors: number[] = [];
    for (let i = 0; i < texts.length; i += 32) {
      const { data } = await embed(texts.slice(i, i + 32), { pooling: 'mean', normalize: true });
      vectors.push(...(data as Float32Array));
    }
    return vectors;
  };
  return { run, output: run, version: `transformers.js ${env.version}` };
});
