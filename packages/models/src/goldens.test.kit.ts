/** Reads the goldens and compares with them, as tools/goldens/README.md says. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Graph, Tensor, TensorData } from '@sinter/ir';
import { gradients, graph } from '@sinter/ir';
import { expect } from 'vitest';
import { readSafetensors } from './checkpoint/safetensors.ts';
import type { ModelOutputs } from './architecture.ts';
import type { ModelConfig } from './config.ts';
import * as all from './index.ts';
import type { ModelClass } from './model.ts';

/** The folder of goldens. */
export const goldens = fileURLToPath(new URL('../goldens/', import.meta.url));

/** What a golden model takes. */
export const inputNames = ['input_ids', 'attention_mask', 'token_type_ids'] as const;

/** All tensors of a golden file, integers as `i32`. */
export async function golden(name: string): Promise<Record<string, TensorData>> {
  const file = await readSafetensors(join(goldens, name));
  const all: Record<string, TensorData> = {};
  for (const tensor of file.names)
    all[tensor] = file.info(tensor).dtype === 'i32' ? await file.readI32(tensor) : await file.readF32(tensor);
  await file.close();
  return all;
}

/** A model in the folder of goldens. */
export interface GoldenModel {
  /** The name of its folder. */
  readonly name: string;
  readonly model_type: string;
  /** The class that its configuration names. */
  readonly model: ModelClass<ModelConfig, ModelOutputs>;
  /** Which files stand beside it. */
  readonly has: { readonly expected: boolean; readonly gradients: boolean };
}

/** The models in the folder of goldens, of these families or of all. */
export function goldenModels(families?: readonly string[]): GoldenModel[] {
  return readdirSync(goldens).flatMap((name) => {
    const path = join(goldens, name, 'config.json');
    if (!existsSync(path)) return [];
    const config = JSON.parse(readFileSync(path, 'utf8')) as { model_type: string; architectures: [string] };
    const { model_type, architectures } = config;
    if (families && !families.includes(model_type)) return [];
    const model = (all as Readonly<Record<string, unknown>>)[architectures[0]] as GoldenModel['model'] | undefined;
    if (!model) throw new Error(`${path} names ${architectures[0]}, which is no class of this package`);
    const has = (what: string) => existsSync(join(goldens, `${name}.${what}.safetensors`));
    return [{ name, model_type, model, has: { expected: has('expected'), gradients: has('gradients') } }];
  });
}

/** Some of a record's tensors. */
export function pick(from: Record<string, TensorData>, names: Iterable<string>): Record<string, TensorData> {
  return Object.fromEntries([...names].map((name) => [name, from[name]!]));
}

/** The largest difference by the largest entry wanted; differences under `absolute` do not count. */
export function difference(got: TensorData, wanted: TensorData, absolute = 0): number {
  expect(got.shape).toEqual(wanted.shape);
  let worst = 0;
  wanted.data.forEach((value, i) => {
    const off = Math.abs(value - got.data[i]!);
    // What is not a number is as wrong as can be.
    if (!(off <= absolute)) worst = Number.isNaN(off) ? Infinity : Math.max(worst, off);
  });
  return worst === 0 ? 0 : worst / largest(wanted);
}

/** The largest entry, without its sign. */
export function largest({ data }: TensorData): number {
  let most = 0;
  for (const value of data) most = Math.max(most, Math.abs(value));
  return most;
}

/** The length of a tensor as a vector. */
export function norm({ data }: TensorData): number {
  let sum = 0;
  for (const value of data) sum += value * value;
  return Math.sqrt(sum);
}

/** The graph that gives the gradient of `loss` by every parameter, as `grad NAME`. */
export function gradientGraph(parameters: Graph['state'], loss: Tensor): Graph {
  const names = Object.keys(parameters);
  const slopes = gradients(
    loss,
    names.map((name) => parameters[name]!),
  );
  return graph('gradients', { outputs: Object.fromEntries(names.map((name, i) => [`grad ${name}`, slopes[i]!])) });
}
