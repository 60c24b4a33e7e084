/** Training in the page: features once, then steps over shuffled batches, one a frame, so that the curve can be watched. */
import type { TensorData } from '@sinter/ir';
import type { Classifier } from './classifier.ts';
import type { Labelled } from './mails.ts';

/** How far it is. */
export interface TrainProgress {
  readonly step: number;
  readonly steps: number;
  readonly loss: number;
  /** Of the step alone. */
  readonly ms: number;
}

const epochs = 60;

/** Trains the head on `examples`; `onFeatures` hears how many texts were read. */
export async function* train(
  classifier: Classifier,
  examples: readonly Labelled[],
  onFeatures: (done: number) => void,
): AsyncGenerator<TrainProgress> {
  const { batch: most } = classifier;
  const rows: Float32Array[] = [];
  for (let i = 0; i < examples.length; i += most) {
    const { shape, data } = await classifier.features(examples.slice(i, i + most).map(({ text }) => text));
    const size = shape[1]!;
    for (let row = 0; row < shape[0]!; row++) rows.push((data as Float32Array).subarray(row * size, (row + 1) * size));
    onFeatures(rows.length);
  }
  const perEpoch = Math.ceil(rows.length / most);
  // Batches of nearly the same size: one of a single mail would pull as hard as a full one.
  const size = Math.ceil(rows.length / perEpoch);
  const steps = epochs * perEpoch;
  const random = mulberry32(1);
  for (let step = 0, order: number[] = []; step < steps; step++) {
    if (order.length === 0) order = shuffled(rows.length, random);
    const picked = order.splice(0, size);
    const began = performance.now();
    const loss = await classifier.step({
      features: stack(picked.map((i) => rows[i]!)),
      labels: { shape: [picked.length], data: Int32Array.from(picked, (i) => examples[i]!.label) },
    });
    yield { step: step + 1, steps, loss, ms: performance.now() - began };
    await new Promise(requestAnimationFrame);
  }
}

function stack(rows: readonly Float32Array[]): TensorData {
  const size = rows[0]!.length;
  const data = new Float32Array(rows.length * size);
  rows.forEach((row, i) => data.set(row, i * size));
  return { shape: [rows.length, size], data };
}

/** 0 … count − 1 in random order (Fisher and Yates). */
function shuffled(count: number, random: () => number): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/** Numbers from 0 up to 1 that only the seed decides, so that training again gives the same curve (mulberry32 by T. Ettinger). */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}
