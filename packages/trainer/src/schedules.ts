/**
 * Learning-rate schedules as graph functions of the step, so that the rate is computed inside the compiled step. Names and
 * curves are those of `transformers.optimization`; all but `constant` warm up linearly from 0.
 */
import { add, cos, div, less, maximum, mul, sub, where } from '@sinter/ir';
import type { Tensor } from '@sinter/ir';

/** Maps the number of finished steps (`f32 []`) to the factor on the base learning rate (`f32 []`). */
export type Schedule = (step: Tensor) => Tensor;

/** What a schedule is made from. */
export interface ScheduleOptions {
  /** Steps of warm-up. */
  readonly warmup: number;
  /** All steps, warm-up included. */
  readonly total: number;
  /** `cosine`: how many waves, default one half. */
  readonly num_cycles?: number;
}

const constant: Schedule = (step) => add(mul(step, 0), 1);

function warmed({ warmup }: ScheduleOptions, rest: Schedule): Schedule {
  return warmup === 0 ? rest : (step) => where(less(step, warmup), div(step, warmup), rest(step));
}

const schedules = {
  linear: (o) => warmed(o, (step) => maximum(div(sub(o.total, step), Math.max(1, o.total - o.warmup)), 0)),
  cosine: (o) =>
    warmed(o, (step) => {
      const progress = div(sub(step, o.warmup), Math.max(1, o.total - o.warmup));
      return maximum(mul(add(cos(mul(progress, 2 * Math.PI * (o.num_cycles ?? 0.5))), 1), 0.5), 0);
    }),
  constant: () => constant,
  constant_with_warmup: (o) => warmed(o, constant),
} satisfies Record<string, (options: ScheduleOptions) => Schedule>;

/** The names of the schedules. */
export type SchedulerType = keyof typeof schedules;
/** All {@link SchedulerType}s. */
export const schedulerTypes = Object.keys(schedules) as SchedulerType[];

/** The schedule of a name. */
export function schedule(type: SchedulerType, options: ScheduleOptions): Schedule {
  return schedules[type](options);
}
