/** The options of `sinter compile`, read. */
import type { Dims } from '../arguments/dims.ts';
import type { TargetName } from '../backends.ts';
import type { TaskName, WeightType } from './source/names.ts';

/** The options as they stand on the command line, read. */
export interface CompileOptions {
  readonly task?: TaskName;
  readonly entry?: string;
  readonly target: TargetName;
  readonly dims: Dims;
  readonly weights: WeightType;
  readonly out: string;
  readonly name?: string;
  readonly weightsBeside?: true;
  readonly maxShardBytes?: number;
  readonly selfCheck: boolean;
  readonly prepare: boolean;
  readonly tune?: true;
  readonly standalone?: true;
  readonly state?: string;
  readonly num_labels?: number;
  readonly revision?: string;
  readonly weight_decay?: number;
  readonly max_grad_norm?: number;
  readonly adam_beta1?: number;
  readonly adam_beta2?: number;
  readonly adam_epsilon?: number;
}

/** Arguments of training that become part of `train_step`: what each means. */
export const stepArguments = {
  weight_decay: 'weight decay of all weights but biases and normalisations',
  max_grad_norm: 'gradients are scaled down to this norm; 0 leaves them',
  adam_beta1: "decay of AdamW's mean of gradients",
  adam_beta2: "decay of AdamW's mean of squared gradients",
  adam_epsilon: "added to AdamW's denominator",
} as const;
/** Their names. */
export const stepNames = Object.keys(stepArguments) as (keyof typeof stepArguments)[];
