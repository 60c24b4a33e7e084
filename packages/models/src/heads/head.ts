/**
 * What a head is: logits out of the states of a base model, and a loss where there are labels. A family gives its layers and their names; what a task
 * has in common in all families (which labels it takes, what its loss is, what its outputs are called) is told once, in the files beside this one.
 */
import type { Tensor } from '@sinter/ir';
import type { Architecture, InputSpec, ModelInputs, ModelOutputs } from '../architecture.ts';
import type { ModelConfig } from '../config.ts';
import type { BaseModelOutput, LayerOutputs } from '../outputs.ts';
import type { Scope } from '../scope.ts';

type Specs = Readonly<Record<string, InputSpec>>;

/** What a head gives besides the states and attentions of layers. */
export type HeadOutputs<O> = Omit<O, keyof LayerOutputs>;

/** A head for base models that give `B`. */
export interface Head<C extends ModelConfig, B, O> {
  /** The inputs of the whole model, of those of its base: labels come to them. */
  inputs(config: C, told: Specs): Specs;
  /** What the base is fed, of what the whole model is. Default: the same. */
  feed?(inputs: ModelInputs): ModelInputs;
  /** `scope` is where base and head lie, `base` is what the base gave. */
  build(scope: Scope, config: C, base: B, inputs: ModelInputs): HeadOutputs<O>;
}

/** The layers of a head: from what the base gave to logits. `scope` is where base and head lie. */
export type Logits<C extends ModelConfig, B> = (scope: Scope, config: C, base: B) => Tensor;

/** A head with logits of one kind, and `labels` for them. */
export function logitsHead<C extends ModelConfig, B>(
  logits: (...args: [...Parameters<Logits<C, B>>, inputs: ModelInputs]) => Tensor,
  labels: (config: C) => InputSpec,
  loss: (config: C, logits: Tensor, labels: Tensor) => Tensor,
): Head<C, B, { readonly loss?: Tensor; readonly logits: Tensor }> {
  return {
    inputs: (config, told) => ({ ...told, labels: labels(config) }),
    build(scope, config, base, inputs) {
      const made = logits(scope, config, base, inputs);
      return { ...(inputs['labels'] && { loss: loss(config, made, inputs['labels']) }), logits: made };
    },
  };
}

/** A model with a head: the base lies under its own prefix, and the states and attentions of its layers are outputs too. */
export function withHead<C extends ModelConfig, B extends BaseModelOutput, O extends LayerOutputs & ModelOutputs>(
  base: Architecture<C, B>,
  name: string,
  head: Head<C, B, O>,
): Architecture<C, O> {
  return {
    ...base,
    name,
    inputs: (config) => head.inputs(config, base.inputs(config)),
    build(scope, config, inputs, options) {
      const made = base.build(scope.at(base.base_model_prefix), config, head.feed?.(inputs) ?? inputs, options);
      const { hidden_states, attentions } = made;
      return {
        ...head.build(scope, config, made, inputs),
        ...(hidden_states && { hidden_states }),
        ...(attentions && { attentions }),
      } as O;
    },
  };
}
