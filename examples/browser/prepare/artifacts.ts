/**
 * From an encoder to files: both programs are built for both backends, the head is trained a little on the mails of 2002 by
 * the programs themselves, and a stored case goes along, so that the page can check what its device computes.
 */
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { cpu } from '@sinter/backend-cpu';
import { webgpu } from '@sinter/backend-webgpu';
import { build } from '@sinter/compiler';
import type { Artifact, Backend } from '@sinter/compiler';
import { encodeBundle } from '@sinter/compiler/artifact';
import type { Bundle, WeightTensor } from '@sinter/compiler/artifact';
import { loadMails } from '@sinter/example-spam/data/mails.ts';
import { dataFrom } from '@sinter/ir';
import { findEncoder } from './encoder.ts';
import type { Encoder } from './encoder.ts';
import { forward, headShapes, headStep, labelNames, largest } from './graphs.ts';
import { trainHead } from './train-head.ts';

/** Options of {@link prepare}. */
export interface PrepareOptions {
  /** Where the files go. */
  readonly folder: string;
  /** Takes a small BERT of our own, which needs no network. */
  readonly small: boolean;
  /** Hears what is being done. */
  readonly say: (line: string) => void;
}

/** Builds all that the page loads. */
export async function prepare({ folder, small, say }: PrepareOptions): Promise<void> {
  const { train } = await loadMails();
  const mails = train.slice(0, small ? 1500 : 600);
  const encoder = await findEncoder(
    mails.map(({ text }) => text),
    small,
    say,
  );
  const { bert, tokenizer, name } = encoder;
  say(`${name}: ${(bert.num_parameters() / 1e6).toFixed(1)} M parameters; the head learns from ${mails.length} mails`);
  const targets: Record<string, Backend> = { cpu: cpu(), webgpu: webgpu() };
  const entries: Record<string, Record<string, Artifact>> = {};
  for (const [target, backend] of Object.entries(targets)) entries[target] = await buildEntries(encoder, backend);

  const weights = halfWeights(encoder, entries['cpu']!['forward']!);
  const trained = await trainHead(targets['cpu']!, entries['cpu']!, weights, tokenizer, mails);
  say(`the head's loss on them is ${trained.loss.toFixed(3)}`);
  await mkdir(folder, { recursive: true });
  for (const target of Object.keys(targets)) {
    const bundle: Bundle = {
      name: target,
      entries: entries[target]!,
      weights: { ...weights, ...trained.head },
      zeros: Object.keys(entries[target]!['train_step']!.state).filter((state) => state.startsWith('optimizer.')),
      files: {
        'tokenizer.json': json(tokenizer.json),
        'tokenizer_config.json': json(tokenizer.config),
        'classes.json': json(labelNames),
      },
      check: trained.check,
      source: { model: name, mails: mails.length },
    };
    for (const file of (await encodeBundle(bundle, { weights: 'beside' })).files) {
      const out = await open(join(folder, file.name), 'w');
      for await (const chunk of file.read()) await out.write(chunk);
      await out.close();
      say(`${join(folder, file.name)}: ${(file.bytes / 1e6).toFixed(1)} MB`);
    }
  }
}

async function buildEntries({ bert }: Encoder, backend: Backend): Promise<Record<string, Artifact>> {
  const [batch, seq] = [
    { min: 1, max: largest.batch },
    { min: 1, max: largest.seq },
  ];
  return {
    forward: await build(forward(bert), backend, { dims: { batch, seq } }),
    train_step: await build(headStep(bert.config.hidden_size), backend, { dims: { batch } }),
  };
}

/** The encoder's weights with 16 bits each, which halves what a visitor has to load. */
function halfWeights({ bert }: Encoder, { state }: Artifact): Record<string, WeightTensor> {
  const head = new Set(headShapes(0).map(([name]) => name));
  const names = Object.keys(state).filter((name) => !head.has(name));
  return Object.fromEntries(
    names.map((name) => {
      const { shape, data } = bert.parameters.get(name)!;
      return [name, { dtype: 'f16', shape, data: dataFrom('f16', data) }];
    }),
  );
}

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
