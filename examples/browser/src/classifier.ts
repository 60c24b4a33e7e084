/** The two programs as the page uses them: texts to probabilities, texts to features, features and labels to a loss. */
import type { Loaded } from '@sinter/compiler/artifact';
import type { Data, TensorData } from '@sinter/ir';
import type { PreTrainedTokenizer, TokenizerConfig, TokenizerJson } from '@sinter/models/tokenizer';
import { createTokenizer } from '@sinter/models/tokenizer';

/** What the model says of a text. */
export interface Verdict {
  /** A probability for each class. */
  readonly probabilities: readonly number[];
  readonly tokens: number;
  /** Of the run, from the tokens to the answer. */
  readonly ms: number;
}

/** A batch for the head: features of texts, and their classes. */
export interface HeadBatch {
  readonly features: TensorData;
  readonly labels: TensorData;
}

/** A loaded model. */
export interface Classifier {
  readonly classes: readonly string[];
  /** The most texts in one run. */
  readonly batch: number;
  classify(text: string): Promise<Verdict>;
  /** The features of at most {@link Classifier.batch} texts, `[texts, hidden]`. */
  features(texts: readonly string[]): Promise<TensorData>;
  /** One step of the optimizer; gives the loss before it. */
  step(batch: HeadBatch): Promise<number>;
  /** The head as it was loaded; the optimizer begins anew. */
  forget(): Promise<void>;
  /** How many kernels a run of each program is made of. */
  kernels(): Promise<Readonly<Record<string, number>>>;
}

/** Puts tokenizer and programs together. */
export async function createClassifier({ programs, state, manifest, file }: Loaded): Promise<Classifier> {
  const read = async <T>(name: string): Promise<T> => JSON.parse(new TextDecoder().decode(await file(name))) as T;
  const tokenizer: PreTrainedTokenizer = createTokenizer({
    json: await read<TokenizerJson>('tokenizer.json'),
    config: await read<TokenizerConfig>('tokenizer_config.json'),
  });
  const classes = await read<string[]>('classes.json');
  const { forward, train_step } = programs as Record<'forward' | 'train_step', Loaded['programs'][string]>;
  const { batch, seq } = manifest.entries['forward']!.dims;

  const trained = manifest.entries['train_step']!.updates ?? [];
  const first: [name: string, value: Data][] = [];
  for (const name of trained) first.push([name, await state.read(name)]);

  const encode = (texts: readonly string[]) => {
    const { input_ids, attention_mask } = tokenizer(texts, {
      padding: true,
      truncation: true,
      max_length: seq!.max,
      return_tensors: 'i32',
    });
    return { input_ids, attention_mask };
  };
  const forget = async (): Promise<void> => {
    for (const [name, value] of first) await state.write(name, value);
  };
  return {
    classes,
    batch: batch!.max,
    async classify(text) {
      const inputs = encode([text]);
      const began = performance.now();
      const { logits } = await forward.run(inputs);
      const ms = performance.now() - began;
      return { probabilities: softmax(logits!.data), tokens: inputs.input_ids.data.length, ms };
    },
    features: async (texts) => (await forward.run(encode(texts)))['features']!,
    step: async (given) => (await train_step.run({ ...given }))['loss']!.data[0]!,
    forget,
    async kernels() {
      const { outputs, steps } = await forward.profile(encode(['A first run']));
      const labels = { shape: [1], data: Int32Array.of(0) };
      const step = await train_step.profile({ features: outputs['features']!, labels });
      await forget();
      return { forward: steps.length, train_step: step.steps.length };
    },
  };
}

function softmax(logits: Data): number[] {
  const top = Math.max(...logits);
  const exps = Array.from(logits, (x) => Math.exp(x - top));
  const sum = exps.reduce((a, b) => a + b);
  return exps.map((x) => x / sum);
}
