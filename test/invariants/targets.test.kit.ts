/** The backends that the invariants are checked on, by name, and a small BERT to check them with. */
import { cpu } from '@sinter/backend-cpu';
import { requestDevice, webgpu } from '@sinter/backend-webgpu';
import { BackendError } from '@sinter/compiler/artifact';
import type { Backend } from '@sinter/compiler';
import type { TensorData } from '@sinter/ir';
import { BertForSequenceClassification } from '@sinter/models';

/** A target of the CPU: a backend for any number of threads. */
export interface CpuTarget {
  readonly name: 'wasm' | 'native';
  /** The backend, with this many threads. */
  backend(threads: number): Backend;
}

/** WebAssembly, and native code where there is a C compiler; where not, it prints why it is skipped. */
export function cpuTargets(): CpuTarget[] {
  const of = (name: CpuTarget['name']): CpuTarget => ({ name, backend: (threads) => cpu({ target: name, threads }) });
  try {
    of('native').backend(1);
    return [of('wasm'), of('native')];
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    console.warn(`skipped: native code (${error.message})`);
    return [of('wasm')];
  }
}

/** WebGPU and what frees its device, or `undefined` after printing why there is none. */
export async function webgpuTarget(): Promise<{ readonly backend: Backend; close(): void } | undefined> {
  try {
    const device = await requestDevice();
    return { backend: webgpu({ device }), close: () => device.destroy() };
  } catch (error) {
    console.warn(`skipped: WebGPU (${(error as Error).message})`);
    return undefined;
  }
}

/** Sizes of which no vector width and no tile is a divisor. */
const sizes = {
  vocab_size: 61,
  hidden_size: 20,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  intermediate_size: 36,
  max_position_embeddings: 40,
  initializer_range: 0.2,
};

/** A BERT with weights drawn from a seed, which classifies into two; dropout is 0.1 everywhere. */
export function smallBert(overrides: Partial<typeof sizes> = {}): BertForSequenceClassification {
  return BertForSequenceClassification.from_config(
    { ...sizes, ...overrides, hidden_dropout_prob: 0.1, attention_probs_dropout_prob: 0.1 },
    { seed: 3 },
  );
}

/** Whole numbers from `low` to below `high` that look random (a linear congruential generator, Numerical Recipes). */
export function integers(shape: readonly number[], high: number, seed: number, low = 0): TensorData {
  const at = noise(seed);
  return { shape, data: Int32Array.from({ length: size(shape) }, () => low + Math.floor(at() * (high - low))) };
}

/** Numbers between −1 and 1 that look random. */
export function floats(shape: readonly number[], seed: number): TensorData {
  const at = noise(seed);
  return { shape, data: Float32Array.from({ length: size(shape) }, () => 2 * at() - 1) };
}

/** A batch for {@link smallBert}: texts of different lengths, padded, and labels that the first word tells. */
export function batchOf(batch: number, seq: number, vocabulary: number, seed: number): Record<string, TensorData> {
  const ids = integers([batch, seq], vocabulary, seed, 1);
  const mask = new Int32Array(batch * seq);
  for (let row = 0; row < batch; row++) {
    const length = Math.max(1, seq - ((row * 3 + seed) % seq));
    mask.fill(1, row * seq, row * seq + length);
    ids.data.fill(0, row * seq + length, (row + 1) * seq);
  }
  const labels = Int32Array.from({ length: batch }, (_, row) => ids.data[row * seq]! % 2);
  return {
    input_ids: ids,
    attention_mask: { shape: [batch, seq], data: mask },
    token_type_ids: { shape: [batch, seq], data: new Int32Array(batch * seq) },
    labels: { shape: [batch], data: labels },
  };
}

function noise(seed: number): () => number {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) / 2 ** 24;
  };
}

function size(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}
