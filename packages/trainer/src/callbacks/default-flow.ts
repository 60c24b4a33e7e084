/** When to log, evaluate and save, by the strategies of the arguments: `DefaultFlowCallback` of transformers. */
import type { TrainerCallback } from './callback.ts';

/** Follows `logging_strategy`, `eval_strategy` and `save_strategy`, and stops at the last step. */
export const defaultFlow: TrainerCallback = {
  on_step_end(args, state, control) {
    const { global_step: step } = state;
    const last = step >= state.max_steps;
    const due = (strategy: string, every: number): boolean => strategy === 'steps' && step % every === 0;
    if (due(args.logging_strategy, state.logging_steps) || (step === 1 && args.logging_first_step))
      control.should_log = true;
    if (due(args.eval_strategy, state.eval_steps) || (last && args.eval_strategy === 'steps'))
      control.should_evaluate = true;
    if (due(args.save_strategy, state.save_steps) || (last && args.save_strategy === 'steps'))
      control.should_save = true;
    if (last) control.should_training_stop = true;
  },
  on_epoch_end(args, _, control) {
    if (args.logging_strategy === 'epoch') control.should_log = true;
    if (args.eval_strategy === 'epoch') control.should_evaluate = true;
    if (args.save_strategy === 'epoch') control.should_save = true;
  },
};
