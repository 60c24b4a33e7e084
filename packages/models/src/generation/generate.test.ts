import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cpu } from '@sinter/backend-cpu';
import { describe, expect, test } from 'vitest';
import { readConfig } from '../config.ts';
import { goldens } from '../goldens.test.kit.ts';
import { AutoModelForCausalLM, AutoModelForSeq2SeqLM } from '../registry.ts';
import type { GenerationConfig } from './config.ts';

interface Golden {
  readonly input_ids: number[][];
  readonly attention_mask: number[][];
  readonly cases: readonly {
    readonly options: GenerationConfig;
    readonly output: number[][];
    readonly scores?: number[];
  }[];
}

const backend = cpu({ threads: 1 });
const tensor = (rows: readonly (readonly number[])[]) => ({
  data: Int32Array.from(rows.flat()),
  shape: [rows.length, rows[0]!.length],
});
const files = readdirSync(goldens).filter((name) => name.endsWith('.generate.json'));

/** The model of a golden, and its cases. */
async function opened(file: string) {
  const golden = JSON.parse(await readFile(join(goldens, file), 'utf8')) as Golden;
  const folder = join(goldens, file.replace('.generate.json', ''));
  const reads = (await readConfig(join(folder, 'config.json')))['is_encoder_decoder'] === true;
  const model = await (reads ? AutoModelForSeq2SeqLM : AutoModelForCausalLM).from_pretrained(folder);
  const inputs = { input_ids: tensor(golden.input_ids), attention_mask: tensor(golden.attention_mask) };
  return { golden, model, inputs, pad: reads ? {} : { pad_token_id: 0 } };
}

describe.each(files)('%s: what Hugging Face writes', async (file) => {
  const { golden, model, inputs, pad } = await opened(file);
  test.each(golden.cases)('$options', async ({ options, output, scores }) => {
    const got = await model.generate(inputs, { backend, ...pad, ...options, return_dict_in_generate: true });
    expect(got.sequences).toEqual(tensor(output));
    const off = scores?.map((score, i) => Math.abs(score - got.sequences_scores!.data[i]!));
    expect(Math.max(0, ...(off ?? []))).toBeLessThan(1e-4);
  });
});
