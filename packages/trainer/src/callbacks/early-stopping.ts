/** Stops when evaluations no longer get better: `EarlyStoppingCallback` of transformers. */
import { isBetter, metricName } from '../best.ts';
import { TrainerError } from '../errors.ts';
import type { TrainerCallback } from './callback.ts';

/** Options of {@link earlyStoppingCallback}. */
export interface EarlyStoppingOptions {
  /** Evaluations without improvement after which training stops. Default 1. */
  readonly early_stopping_patience?: number;
  /** How much better than the best an evaluation must be to count. Default 0. */
  readonly early_stopping_threshold?: number;
}

/** Watches `metric_for_best_model` (default `loss`). */
export function earlyStoppingCallback(options: EarlyStoppingOptions = {}): TrainerCallback {
  const { early_stopping_patience = 1, early_stopping_threshold = 0 } = options;
  let best: number | undefined;
  let waited = 0;
  let training = false;
  return {
    on_train_begin(args) {
      if (args.eval_strategy === 'no')
        throw new TrainerError(
          `early stopping compares evaluations, and eval_strategy is 'no'; set it to 'steps' or 'epoch'`,
        );
      best = undefined;
      waited = 0;
      training = true;
    },
    on_train_end() {
      training = false;
    },
    on_evaluate(args, _state, control, { metrics = {} }) {
      if (!training) return;
      const value = metrics[metricName(args)];
      if (value === undefined)
        throw new TrainerError(
          `early stopping watches ${metricName(args)}; the evaluation has ${Object.keys(metrics).join(', ')}. Set metric_for_best_model`,
        );
      const enough =
        best === undefined || (isBetter(args, value, best) && Math.abs(value - best) > early_stopping_threshold);
      waited = enough ? 0 : waited + 1;
      if (best === undefined || isBetter(args, value, best)) best = value;
      if (waited >= early_stopping_patience) control.should_training_stop = true;
    },
  };
}
