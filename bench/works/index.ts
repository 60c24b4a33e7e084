/** The works, in the order they run. */
import { on, type Work } from '../harness/work.ts';
import { attentionStep } from './attention.ts';
import { mailEmbeddings } from './embed.ts';
import { gptDecode, gptPrefill } from './generate.ts';
import { gpt2Small, gptStep, type GptShape } from './gpt.ts';
import { gptWrites } from './write.ts';
import { minilmForward, minilmStep } from './minilm.ts';
import { gelu, layerNorm, matmul, softmax } from './ops.ts';

const tinyGpt: GptShape = { layers: 2, hidden: 128, heads: 4, vocabulary: 96, seq: 64 };

/** Works for any machine. Those on WebGPU end in seconds on a software adapter. */
export const works: readonly Work[] = [
  minilmForward(1, 128),
  minilmForward(8, 128),
  minilmForward(32, 64),
  minilmForward(1, 512),
  mailEmbeddings(250, 128),
  mailEmbeddings(250, 256),
  minilmStep(16, 128),
  gptStep('small GPT', { ...tinyGpt, layers: 4 }, 12),
  gptPrefill('GPT-2 small', gpt2Small, 128),
  gptDecode('GPT-2 small', gpt2Small, 128, 'f32'),
  gptDecode('GPT-2 small', gpt2Small, 128, 'f16'),
  gptDecode('GPT-2 small', gpt2Small, 128, 'i8'),
  gptWrites('GPT-2 small', gpt2Small, 64, 128),
  attentionStep(1, 2048),
  matmul(256),
  matmul(512),
  matmul(1024),
  matmul(2048),
  matmul(512, { weights: true }),
  matmul(1024, { weights: true }),
  softmax(4096, 1024),
  layerNorm(4096, 768),
  gelu(4 * 2 ** 20),

  on('webgpu', minilmForward(1, 128)),
  on('webgpu', minilmForward(2, 128)),
  on('webgpu', gptStep('tiny GPT', tinyGpt, 4)),
  on('webgpu', matmul(512)),
  on('webgpu', matmul(1024)),
  on('webgpu', softmax(4096, 1024)),
  on('webgpu', layerNorm(4096, 768)),
  on('webgpu', gelu(4 * 2 ** 20)),

  on('webgpu in Chromium', minilmForward(1, 128)),
  on('webgpu in Chromium', matmul(512)),
  on('webgpu in Chromium', softmax(4096, 1024)),
  on('webgpu in Chromium', layerNorm(4096, 768)),
  on('webgpu in Chromium', gelu(4 * 2 ** 20)),
];

/** Works in the sizes of a real GPU, which a software adapter would take minutes or hours for. */
export const gpuWorks: readonly Work[] = [
  on('webgpu', matmul(4096)),
  on('webgpu', minilmForward(64, 128)),
  on('webgpu', gptStep('GPT-2 small', gpt2Small, 2)),
];

/** @throws Error when there is no such work */
export function findWork(name: string): Work {
  const all = [...works, ...gpuWorks];
  const work = all.find((candidate) => candidate.name === name);
  if (!work) throw new Error(`no work named "${name}"; there are: ${all.map((each) => each.name).join(', ')}`);
  return work;
}
