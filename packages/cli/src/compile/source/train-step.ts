/**
 * The training step as an entry point. What changes from call to call is an input: the batch, `labels`, `learning_rate`
 * (`f32 []`, so that any schedule can be used) and, where there is dropout, `seed` (`u32 []`; the step is counted in the state).
 * With the seed of a `Trainer` it draws the same numbers as that.
 */
import { cast, concat, graph, input, reshape, state } from '@sinter/ir';
import type { Graph } from '@sinter/ir';
import { adamw, decays, trainStep } from '@sinter/trainer';
import type { TrainableModel, TrainingArguments } from '@sinter/trainer';

/** The arguments that are part of the compiled step. */
export type StepArguments = Pick<
  TrainingArguments,
  'weight_decay' | 'max_grad_norm' | 'adam_beta1' | 'adam_beta2' | 'adam_epsilon'
>;

/** One step of AdamW with clipping. Outputs `loss` and `grad_norm` (before clipping), both `f32 []`. */
export function trainStepEntry(model: TrainableModel, args: StepArguments): Graph {
  const common = { beta1: args.adam_beta1, beta2: args.adam_beta2, epsilon: args.adam_epsilon };
  const [decaying, plain] = [adamw({ ...common, weight_decay: args.weight_decay }), adamw(common)];
  const { outputs, updates } = trainStep(seeded(model), {
    optimizer: (name) => (decays(name) ? decaying : plain),
    schedule: () => input('learning_rate', [], 'f32'),
    learning_rate: 1,
    max_grad_norm: args.max_grad_norm,
  });
  return graph('train_step', { outputs: { loss: outputs['loss']!, grad_norm: outputs['grad_norm']! }, updates });
}

/** The model with a dropout key of an input and the optimizer's counter, instead of a state that would have to be set beforehand. */
function seeded(model: TrainableModel): TrainableModel {
  const word = (t: Parameters<typeof reshape>[0]) => reshape(t, [1]);
  return {
    config: model.config,
    parameters: model.parameters,
    inputs: model.inputs,
    build(inputs, { key } = {}) {
      if (key === undefined) return model.build(inputs);
      const step = cast(state('optimizer.step', [], 'i32'), 'u32');
      return model.build(inputs, { key: concat([word(input('seed', [], 'u32')), word(step)]) });
    },
  };
}
