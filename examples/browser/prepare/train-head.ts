/** The head's first values: the programs that the page will run, run here, on real mails. */
import type { Artifact, Backend } from '@sinter/compiler';
import type { CheckCase, WeightTensor } from '@sinter/compiler/artifact';
import { decoder } from '@sinter/ir';
import type { PreTrainedTokenizer } from '@sinter/models';
import { largest } from './graphs.ts';

/** A text and its class. */
interface Labelled {
  readonly text: string;
  readonly label: number;
}

/** What training gives. */
export interface TrainedHead {
  readonly head: Record<string, WeightTensor>;
  /** A case of each entry point. */
  readonly check: Record<string, CheckCase>;
  /** The mean of the last pass over the mails. */
  readonly loss: number;
}

const epochs = 12;

/** Trains the head on features of `mails`, in their order. */
export async function trainHead(
  backend: Backend,
  entries: Readonly<Record<string, Artifact>>,
  weights: Readonly<Record<string, WeightTensor>>,
  tokenizer: PreTrainedTokenizer,
  mails: readonly Labelled[],
): Promise<TrainedHead> {
  await using forward = await backend.load(entries['forward']!);
  await using step = await backend.load(entries['train_step']!, { state: forward.state });
  const { state } = forward;
  // The values that the page will have: of 16 bits.
  const float = decoder('f16');
  for (const [name, { data }] of Object.entries(weights))
    await state.write(name, Float32Array.from(data as Uint16Array, float));

  const encode = (texts: string[]) => {
    const { input_ids, attention_mask } = tokenizer(texts, {
      padding: true,
      truncation: true,
      max_length: largest.seq,
      return_tensors: 'i32',
    });
    return { input_ids, attention_mask };
  };
  const batches: { features: Features; labels: { shape: [number]; data: Int32Array } }[] = [];
  for (let i = 0; i < mails.length; i += largest.batch) {
    const batch = mails.slice(i, i + largest.batch);
    const { features } = await forward.run(encode(batch.map(({ text }) => text)));
    const labels = Int32Array.from(batch, ({ label }) => label);
    batches.push({ features: features as Features, labels: { shape: [batch.length], data: labels } });
  }
  let sum = 0;
  for (let epoch = 0; epoch < epochs; epoch++) {
    sum = 0;
    for (const batch of batches) sum += (await step.run(batch))['loss']!.data[0]!;
  }

  const head: Record<string, WeightTensor> = {};
  for (const name of Object.keys(step.state.ports).filter((name) => name.startsWith('classifier.'))) {
    const { shape } = state.ports[name]!;
    head[name] = { dtype: 'f32', shape: shape as number[], data: await state.read(name) };
  }
  const inputs = encode(['Lunch on Thursday?', 'You have WON a free prize!!! Click here to claim it.']);
  const { features, logits } = await forward.run(inputs);
  for (const name of Object.keys(state.ports))
    if (name.startsWith('optimizer.')) {
      const zeros = await state.read(name);
      await state.write(name, zeros.fill(0) as typeof zeros);
    }
  const learn = { features: features as Features, labels: { shape: [2], data: Int32Array.of(0, 1) } };
  const { loss } = await step.run(learn);
  return {
    head,
    check: {
      // Sums in another order, and exponentials of another make, over all layers.
      forward: { inputs, outputs: { logits: logits! }, tolerance: { absolute: 2e-2, relative: 1e-2 } },
      train_step: { inputs: learn, outputs: { loss: loss! }, tolerance: { absolute: 1e-3, relative: 1e-2 } },
    },
    loss: sum / batches.length,
  };
}

interface Features {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}
