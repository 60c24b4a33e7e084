/**
 * Learning-rate schedules as graph functions of the step, so that the rate is computed inside the compiled step. Names, settings and
 * curves are those of `transformers.optimization`.
 */
import { add, cos, div, less, maximum, minimum, mod, mul, pow, rsqrt, sqrt, state, sub, where } from '@sinter/ir';
import type { Tensor } from '@sinter/ir';
import { TrainingArgumentsError } from './errors.ts';
import { near } from './near.ts';
import { plateauSettings } from './plateau.ts';
import type { PlateauSettings } from './plateau.ts';

/** Maps the number of finished steps (`f32 []`) to the factor on the base learning rate (`f32 []`). */
export type Schedule = (step: Tensor) => Tensor;

/** How a rise or a fall looks: `1-sqrt` is steep at first when falling, and at last when rising. */
export type RampType = 'linear' | 'cosine' | '1-sqrt';

/** Further settings of a schedule (`lr_scheduler_kwargs`). Each schedule takes some of them. */
export interface ScheduleSettings extends PlateauSettings {
  /** `cosine`, `cosine_with_min_lr`, `warmup_stable_decay`: how many waves, default one half. `cosine_with_restarts`: how many falls, default 1. */
  readonly num_cycles?: number;
  /** `polynomial`: the learning rate at the end. Default 1e-7. */
  readonly lr_end?: number;
  /** `polynomial`: the exponent. Default 1. */
  readonly power?: number;
  /** `inverse_sqrt`: after so many steps more than the warm-up the rate has fallen by √2. Default: the steps of warm-up, else 10,000. */
  readonly timescale?: number;
  /** `cosine_with_min_lr`, `cosine_warmup_with_min_lr`: the least learning rate; this or `min_lr_rate` must be given. */
  readonly min_lr?: number;
  /** The same as a share of the base learning rate. */
  readonly min_lr_rate?: number;
  /** `cosine_warmup_with_min_lr`: what the warm-up begins with, as a share. Default: one step's worth. */
  readonly warmup_lr_rate?: number;
  /** `warmup_stable_decay`: steps of the fall at the end; must be given. */
  readonly num_decay_steps?: number;
  /** `warmup_stable_decay`: steps between warm-up and fall. Default: what is left. */
  readonly num_stable_steps?: number;
  /** `warmup_stable_decay`: how the warm-up looks. Default `linear`. */
  readonly warmup_type?: RampType;
  /** `warmup_stable_decay`: how the fall looks. Default `cosine`. */
  readonly decay_type?: RampType;
  /** `warmup_stable_decay`: where warm-up begins and fall ends, as a share. Default 0. */
  readonly min_lr_ratio?: number;
}

/** What a schedule is made from. */
export interface ScheduleOptions extends ScheduleSettings {
  /** Steps of warm-up. */
  readonly warmup: number;
  /** All steps, warm-up included. */
  readonly total: number;
  /** The base learning rate, which the factor applies to; matters where a setting is a learning rate. Default 1. */
  readonly learning_rate?: number;
}

/** One schedule: which settings it takes, and its curve. */
interface Row {
  readonly settings: readonly (keyof ScheduleSettings)[];
  /** The factor at a step. */
  readonly at: (step: Tensor, options: ScheduleOptions) => Tensor;
}

const one = (step: Tensor): Tensor => add(mul(step, 0), 1);

/** How far a step is between warm-up and end: 0 to 1, and beyond. */
function progress(step: Tensor, { warmup, total }: ScheduleOptions): Tensor {
  return div(sub(step, warmup), Math.max(1, total - warmup));
}

/** `waves` of a cosine while `x` goes from 0 to 1, between 1 and 0. */
function wave(x: Tensor, waves: number): Tensor {
  return mul(add(cos(mul(x, 2 * Math.PI * waves)), 1), 0.5);
}

/** From 1 down to 0 as `x` goes from 0 to 1. */
const falls: Readonly<Record<RampType, (x: Tensor, waves: number) => Tensor>> = {
  linear: (x) => sub(1, x),
  cosine: wave,
  '1-sqrt': (x) => sub(1, sqrt(x)),
};

/** Squeezes a factor between `least` and 1 instead of 0 and 1. */
function above(least: number, factor: Tensor): Tensor {
  return maximum(add(mul(factor, 1 - least), least), 0);
}

/** `rest` after a warm-up that rises in a straight line from 0. */
function warmed(rest: Row['at']): Row['at'] {
  return (step, o) =>
    o.warmup === 0 ? rest(step, o) : where(less(step, o.warmup), div(step, o.warmup), rest(step, o));
}

const rows = {
  linear: { settings: [], at: warmed((step, o) => maximum(sub(1, progress(step, o)), 0)) },
  cosine: {
    settings: ['num_cycles'],
    at: warmed((step, o) => maximum(wave(progress(step, o), o.num_cycles ?? 0.5), 0)),
  },
  cosine_with_restarts: {
    settings: ['num_cycles'],
    at: warmed((step, o) => {
      const length = Math.max(1, o.total - o.warmup);
      // Whole numbers, which single precision divides exactly where a fall begins anew.
      const since = mod(mul(sub(step, o.warmup), o.num_cycles ?? 1), length);
      return where(less(step, o.total), wave(div(since, length), 0.5), mul(step, 0));
    }),
  },
  polynomial: {
    settings: ['lr_end', 'power'],
    at: warmed((step, o) => {
      const end = (o.lr_end ?? 1e-7) / (o.learning_rate ?? 1);
      const left = maximum(sub(1, progress(step, o)), 0);
      return add(mul(o.power === undefined || o.power === 1 ? left : pow(left, o.power), 1 - end), end);
    }),
  },
  constant: { settings: [], at: one },
  constant_with_warmup: { settings: [], at: warmed(one) },
  inverse_sqrt: {
    settings: ['timescale'],
    at: warmed((step, o) => {
      const timescale = o.timescale ?? (o.warmup || 10_000);
      return rsqrt(div(add(step, timescale - o.warmup), timescale));
    }),
  },
  // The rate falls when evaluations stop getting better: `plateau.ts` decides, and the loop writes this state.
  reduce_lr_on_plateau: { settings: plateauSettings, at: (step) => add(mul(step, 0), state(plateauFactor, [])) },
  cosine_with_min_lr: {
    settings: ['num_cycles', 'min_lr', 'min_lr_rate'],
    at: warmed((step, o) => above(least(o), wave(progress(step, o), o.num_cycles ?? 0.5))),
  },
  cosine_warmup_with_min_lr: {
    settings: ['num_cycles', 'min_lr', 'min_lr_rate', 'warmup_lr_rate'],
    at: (step, o) => {
      const next = add(step, 1);
      const { warmup, warmup_lr_rate: from } = o;
      const rise =
        from === undefined
          ? div(next, Math.max(1, warmup))
          : add(mul(step, (1 - from) / Math.max(1, warmup - 1)), from);
      return where(less(step, warmup), rise, above(least(o), wave(progress(next, o), o.num_cycles ?? 0.5)));
    },
  },
  warmup_stable_decay: {
    settings: ['num_decay_steps', 'num_stable_steps', 'warmup_type', 'decay_type', 'min_lr_ratio', 'num_cycles'],
    at: (step, o) => {
      const { warmup, total, warmup_type = 'linear', decay_type = 'cosine', min_lr_ratio = 0, num_cycles = 0.5 } = o;
      const decay = o.num_decay_steps ?? missing('num_decay_steps');
      const stable = o.num_stable_steps ?? total - warmup - decay;
      // What a rise lacks at x is what a fall has left at x, but for the root, which falls as fast as it rises.
      const share = minimum(div(step, Math.max(1, warmup)), 1);
      const rise = warmup_type === '1-sqrt' ? sub(1, sqrt(sub(1, share))) : sub(1, falls[warmup_type](share, 0.5));
      const x = minimum(maximum(div(sub(step, warmup + stable), Math.max(1, decay)), 0), 1);
      const fall = where(less(step, warmup + stable + decay), falls[decay_type](x, num_cycles), mul(step, 0));
      return where(less(step, warmup), above(min_lr_ratio, rise), above(min_lr_ratio, fall));
    },
  },
} satisfies Record<string, Row>;

/** The state that scales the learning rate under `reduce_lr_on_plateau`. */
export const plateauFactor = 'optimizer.lr_factor';

function least({ min_lr, min_lr_rate, learning_rate = 1 }: ScheduleOptions): number {
  if (min_lr !== undefined && min_lr_rate !== undefined)
    throw new TrainingArgumentsError(
      'lr_scheduler_kwargs',
      'lr_scheduler_kwargs: give min_lr or min_lr_rate, not both',
    );
  return min_lr !== undefined ? min_lr / learning_rate : (min_lr_rate ?? missing('min_lr or min_lr_rate'));
}

function missing(what: string): never {
  throw new TrainingArgumentsError(
    'lr_scheduler_kwargs',
    `this lr_scheduler_type wants lr_scheduler_kwargs with ${what}`,
  );
}

/** The names of the schedules. */
export type SchedulerType = keyof typeof rows;
/** All {@link SchedulerType}s. */
export const schedulerTypes = Object.keys(rows) as SchedulerType[];

/**
 * The schedule of a name.
 * @throws TrainingArgumentsError for a setting that the schedule does not take, or lacks
 */
export function schedule(type: SchedulerType, options: ScheduleOptions): Schedule {
  const { settings, at }: Row = rows[type];
  const { warmup: _, total: __, learning_rate: ___, ...given } = options;
  for (const name of Object.keys(given)) {
    if ((settings as readonly string[]).includes(name)) continue;
    const close = near(name, settings);
    throw new TrainingArgumentsError(
      'lr_scheduler_kwargs',
      `lr_scheduler_kwargs: '${type}' has no setting '${name}'; ` +
        (close.length > 0 ? `did you mean ${close.join(' or ')}?` : `it takes ${settings.join(', ') || 'none'}`),
    );
  }
  return (step) => at(step, options);
}
