/** Which evaluation is the best one, by `metric_for_best_model` and `greater_is_better`. */
import type { TrainingArguments } from './arguments.ts';

/** The key of the metric in the result of an evaluation: `eval_loss`. */
export function metricName(args: TrainingArguments): string {
  const name = args.metric_for_best_model ?? 'loss';
  return name.startsWith('eval_') ? name : `eval_${name}`;
}

/** Whether a larger value of that metric is better. */
export function isGreaterBetter(args: TrainingArguments): boolean {
  return args.greater_is_better ?? !metricName(args).endsWith('loss');
}

/** Whether `value` is better than the best so far; NaN never is. */
export function isBetter(args: TrainingArguments, value: number, best: number | null): boolean {
  return best === null ? !Number.isNaN(value) : isGreaterBetter(args) ? value > best : value < best;
}
