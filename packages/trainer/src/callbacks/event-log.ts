/** Writes what is logged to a sink, under the tags of `TensorBoardCallback` of transformers. */
import type { Sink } from '../model.ts';
import { stableJson } from '../stable-json.ts';
import type { TrainerCallback } from './callback.ts';

/** The tag of a log key: `eval_loss` is `eval/loss`, `test_loss` is `test/loss`, `loss` is `train/loss`. */
export function tagOf(key: string): string {
  const prefix = ['eval', 'test'].find((p) => key.startsWith(`${p}_`));
  return prefix ? `${prefix}/${key.slice(prefix.length + 1)}` : `train/${key}`;
}

/** Logs every number, and at the beginning the arguments and the model's configuration as text. */
export function eventLogCallback(sink: Sink): TrainerCallback {
  const code = (value: object): string => `\`\`\`json\n${stableJson(value)}\`\`\``;
  return {
    on_train_begin(args, state, _control, { model }) {
      sink.text?.('args', code(args), state.global_step);
      sink.text?.('model_config', code(model.config), state.global_step);
    },
    on_log(_args, state, _control, { logs = {} }) {
      for (const [key, value] of Object.entries(logs)) sink.scalar(tagOf(key), value, state.global_step);
    },
    on_evaluate: () => sink.flush(),
    on_train_end: () => sink.flush(),
  };
}
