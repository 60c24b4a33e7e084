/** What models are compiled for: which class is loaded, and which outputs `forward` has. A new task is one row, and a name in `names.ts`. */
import { AutoModel, AutoModelForSequenceClassification } from '@sinter/models';
import type { AutoOptions, ModelConfig, ModelOutputs, PreTrainedModel } from '@sinter/models';
import type { TaskName } from './names.ts';
import { taskNames } from './names.ts';

/** A task as a row of the table. */
export interface Task {
  /** The classes of `config.json` that are for this task. */
  readonly architectures: RegExp;
  /** The outputs of `forward`. */
  readonly outputs: readonly string[];
  /** Whether the model has a loss, and so `evaluate` and `train_step`. */
  readonly trains: boolean;
  /** Loads the model of a folder or hub id. @throws CheckpointError, ConfigError */
  readonly load: (folderOrId: string, options: AutoOptions) => Promise<PreTrainedModel<ModelConfig, ModelOutputs>>;
}

/** All tasks by the names that Hugging Face gives them. */
export const tasks = {
  'text-classification': {
    architectures: /ForSequenceClassification$/,
    outputs: ['logits'],
    trains: true,
    load: (id, options) => widened(AutoModelForSequenceClassification.from_pretrained(id, options)),
  },
  'feature-extraction': {
    architectures: /Model$/,
    outputs: ['last_hidden_state'],
    trains: false,
    load: (id, options) => widened(AutoModel.from_pretrained(id, options)),
  },
} as const satisfies Record<TaskName, Task>;

/** The task that a model was made for; a model of any other class is an encoder. */
export function taskOf({ architectures }: Pick<ModelConfig, 'architectures'>): TaskName {
  return (
    taskNames.find((name) => architectures?.some((one) => tasks[name].architectures.test(one))) ?? 'feature-extraction'
  );
}

/** A family's own types are more than is needed here. */
async function widened(model: Promise<unknown>): Promise<PreTrainedModel<ModelConfig, ModelOutputs>> {
  return (await model) as PreTrainedModel<ModelConfig, ModelOutputs>;
}
