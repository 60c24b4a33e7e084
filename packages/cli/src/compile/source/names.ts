/** The names that options are made of, apart from what stands behind them, so that `--help` does not load it. */

/** The entry points that a model can have. */
export const entryNames = ['forward', 'evaluate', 'train_step'] as const;
/** An entry point of a model. */
export type EntryName = (typeof entryNames)[number];

/** What models are compiled for, as Hugging Face names it. */
export const taskNames = ['text-classification', 'feature-extraction'] as const;
/** A task. */
export type TaskName = (typeof taskNames)[number];

/** The dtypes that weights can be stored in. */
export const weightTypes = ['f32', 'f16'] as const;
/** A dtype that weights can be stored in. */
export type WeightType = (typeof weightTypes)[number];
