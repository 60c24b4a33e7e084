/**
 * The logit lens (nostalgebraist 2020, "interpreting GPT: the logit lens"): what a model would say after each of its layers, if the others were left out. The state
 * after a layer takes the place of that after the last one, and goes through the final norm and the head.
 */
import type { Backend } from '@sinter/compiler';
import {
  argmax,
  equal,
  exp,
  expandDims,
  full,
  graph as closeGraph,
  iota,
  logSumExp,
  max,
  stack,
  sub,
  where,
} from '@sinter/ir';
import type { Graph, Shape, Tensor, TensorData } from '@sinter/ir';
import type { ModelOutputs } from '../architecture.ts';
import type { ModelData } from '../compiled.ts';
import type { ModelConfig } from '../config.ts';
import { ConfigError } from '../errors.ts';
import type { PreTrainedModel } from '../model.ts';
import { edited } from './edit.ts';
import { ask } from './programs.ts';
import { built, namesOf } from './trace.ts';

/** What a model would say after a layer. */
export interface LensLayer {
  /** The state that was looked at: `transformer.h.0.hidden`. */
  readonly name: string;
  /** `i32 [batch, seq, top]`: the most likely tokens, the best first. */
  readonly tokens: TensorData;
  /** `f32 [batch, seq, top]`: how likely they are. */
  readonly probabilities: TensorData;
}

/** The options of {@link logitLens}. */
export interface LogitLensOptions {
  /** How many tokens are told. Default: 5. */
  readonly top?: number;
  /** Where it runs. Default: `defaultBackend()`, the processor. */
  readonly backend?: Backend;
}

/** The most likely tokens at each position after each layer, the last of which says what the model does. @throws ConfigError for a model that tells no tokens */
export async function logitLens<C extends ModelConfig, O extends ModelOutputs>(
  model: PreTrainedModel<C, O>,
  inputs: ModelData,
  { top = 5, backend }: LogitLensOptions = {},
): Promise<LensLayer[]> {
  const names = namesOf(model, inputs);
  const got = await ask(model, {
    backend,
    key: JSON.stringify(['logit lens', names, top]),
    graph: () => lensGraph(model, names, top),
    inputs,
  });
  return Object.keys(got).flatMap((key) => {
    if (!key.startsWith('tokens ')) return [];
    const name = key.slice('tokens '.length);
    return [{ name, tokens: got[key]!, probabilities: got[`probabilities ${name}`]! }];
  });
}

function lensGraph<C extends ModelConfig, O extends ModelOutputs>(
  model: PreTrainedModel<C, O>,
  names: readonly string[],
  top: number,
): Graph {
  const { values, made } = built(model, names);
  // The layers of a model, or of its second half, are the last row of them.
  const layers = [...values].filter(([name]) => /\.\d+\.hidden$/.test(name));
  const row = layers.at(-1)?.[0].replace(/\d+\.hidden$/, '');
  const own = layers.filter(([name]) => name.replace(/\d+\.hidden$/, '') === row);
  const logits = made['logits'];
  if (own.length === 0 || logits?.shape.length !== 3)
    throw new ConfigError(`${model.architecture.name} has no lens: that wants logits of tokens, and layers`);
  const last = own.at(-1)![1];
  const outputs: Record<string, Tensor> = {};
  for (const [name, state] of own) {
    const [said] = edited([logits], new Map([[last, () => state]])) as [Tensor];
    const { tokens, probabilities } = topOf(said, top);
    outputs[`tokens ${name}`] = tokens;
    outputs[`probabilities ${name}`] = probabilities;
  }
  return closeGraph(`${model.architecture.name} through the lens`, { outputs });
}

/** The largest logits of each row, one after the other. */
function topOf(logits: Tensor, count: number): { readonly tokens: Tensor; readonly probabilities: Tensor } {
  const whole = logSumExp(logits);
  const tokens: Tensor[] = [];
  const probabilities: Tensor[] = [];
  let rest = logits;
  for (let i = 0; i < count; i++) {
    const token = argmax(rest);
    tokens.push(token);
    probabilities.push(exp(sub(max(rest, { axes: -1 }) as Tensor, whole) as Tensor));
    const taken = equal(iota(logits.shape, 2), expandDims(token, 2) as typeof token);
    rest = where(taken as Tensor<Shape, 'bool'>, full([], -Infinity) as Tensor, rest) as Tensor;
  }
  return { tokens: stack(tokens, 2), probabilities: stack(probabilities, 2) };
}
