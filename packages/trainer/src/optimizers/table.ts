/** The optimizers by the names that `optim` takes, and what of the arguments each goes by. */
import type { TrainingArguments } from '../arguments.ts';
import { TrainingArgumentsError } from '../errors.ts';
import { adafactor } from './adafactor.ts';
import { adagrad, rmsprop } from './adagrad.ts';
import { adamw } from './adamw.ts';
import { adamw8bit } from './adamw-8bit.ts';
import { decays } from './decay.ts';
import { lion } from './lion.ts';
import type { Optimizer, OptimizerFor } from './optimizer.ts';
import { sgd } from './sgd.ts';

type Args = Pick<
  TrainingArguments,
  'adam_beta1' | 'adam_beta2' | 'adam_epsilon' | 'weight_decay' | 'optim' | 'optim_args'
>;
type Settings = Readonly<Record<string, number | boolean>>;

/** One optimizer: the settings that `optim_args` may give it, and how it is made. */
interface Row {
  readonly settings: readonly string[];
  make(args: Args, decay: { readonly weight_decay: number }, settings: Settings): Optimizer;
}

const adam = (args: Args) => ({ beta1: args.adam_beta1, beta2: args.adam_beta2, epsilon: args.adam_epsilon });
const adamRow: Row = { settings: [], make: (args, decay) => adamw({ ...adam(args), ...decay }) };
const adam8bitRow: Row = { settings: [], make: (args, decay) => adamw8bit({ ...adam(args), ...decay }) };
const lionRow: Row = {
  settings: [],
  make: ({ adam_beta1: beta1, adam_beta2: beta2 }, decay) => lion({ beta1, beta2, ...decay }),
};

const rows = {
  adamw_torch: adamRow,
  adamw_torch_fused: adamRow,
  adamw_8bit: adam8bitRow,
  adamw_bnb_8bit: adam8bitRow,
  sgd: { settings: ['momentum', 'nesterov'], make: (_, decay, settings) => sgd({ ...settings, ...decay }) },
  adagrad: { settings: ['epsilon'], make: (_, decay, settings) => adagrad({ ...settings, ...decay }) },
  rmsprop: { settings: ['alpha', 'epsilon'], make: (_, decay, settings) => rmsprop({ ...settings, ...decay }) },
  adafactor: {
    settings: ['clip_threshold', 'decay_rate', 'beta1', 'scale_parameter'],
    make: (_, decay, settings) => adafactor({ ...settings, ...decay }),
  },
  lion_32bit: lionRow,
  lion: lionRow,
} satisfies Record<string, Row>;

/** A name that `optim` takes. */
export type OptimizerName = keyof typeof rows;
/** All {@link OptimizerName}s. */
export const optimizerNames = Object.keys(rows) as OptimizerName[];

/** The optimizer of each parameter: weights decay, biases and normalisations do not. @throws TrainingArgumentsError for `optim_args` */
export function optimizerFor(args: Args): OptimizerFor {
  const row: Row = rows[args.optim];
  const settings = settingsOf(args, row);
  const [decaying, plain] = [args.weight_decay, 0].map((weight_decay) => row.make(args, { weight_decay }, settings));
  return (name) => (decays(name) ? decaying : plain);
}

/** `momentum=0.9, nesterov=true` as Python's Trainer writes it. */
function settingsOf({ optim, optim_args }: Args, { settings }: Row): Settings {
  const pairs = (optim_args ?? '').split(',').filter((part) => part.trim() !== '');
  return Object.fromEntries(
    pairs.map((pair) => {
      const [name = '', text = ''] = pair.split('=').map((part) => part.trim());
      const value = /^(true|false)$/i.test(text) ? text.toLowerCase() === 'true' : Number(text);
      if (!settings.includes(name) || text === '' || Number.isNaN(value))
        throw new TrainingArgumentsError(
          'optim_args',
          `optim_args: '${pair.trim()}' is no setting of '${optim}'; it takes ${settings.map((s) => `${s}=…`).join(', ') || 'none'}`,
        );
      return [name, value];
    }),
  );
}
