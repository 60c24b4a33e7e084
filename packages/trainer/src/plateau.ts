/** `reduce_lr_on_plateau`: the learning rate falls when evaluations stop getting better. After `torch.optim.lr_scheduler.ReduceLROnPlateau`. */

/** The settings of torch's class, with its defaults. */
export interface PlateauSettings {
  /** Whether smaller (`min`) or larger (`max`) is better. Default: as `metric_for_best_model` and `greater_is_better` say. */
  readonly mode?: 'min' | 'max';
  /** What the learning rate is multiplied by. Default 0.1. */
  readonly factor?: number;
  /** Evaluations without a better one that are waited for. Default 10. */
  readonly patience?: number;
  /** What counts as better. Default 1e-4. */
  readonly threshold?: number;
  /** Whether `threshold` is a share of the best (`rel`) or a difference (`abs`). Default `rel`. */
  readonly threshold_mode?: 'rel' | 'abs';
  /** Evaluations after a fall that are not counted. Default 0. */
  readonly cooldown?: number;
}

/** The names of {@link PlateauSettings}. */
export const plateauSettings = ['mode', 'factor', 'patience', 'threshold', 'threshold_mode', 'cooldown'] as const;

/** What is remembered between evaluations. */
export interface Plateau {
  readonly best: number | null;
  /** Evaluations since the best one. */
  readonly bad: number;
  /** Evaluations that are not counted yet. */
  readonly cooldown: number;
  /** The factor on the learning rate. */
  readonly factor: number;
}

/** Before the first evaluation. */
export const noPlateau: Plateau = { best: null, bad: 0, cooldown: 0, factor: 1 };

/** After one more evaluation; `mode` is taken where the settings say none. */
export function evaluated(before: Plateau, value: number, settings: PlateauSettings, mode: 'min' | 'max'): Plateau {
  const { factor = 0.1, patience = 10, threshold = 1e-4, threshold_mode = 'rel', cooldown = 0 } = settings;
  const better = isBetter(value, before.best, threshold, threshold_mode, settings.mode ?? mode);
  const waiting = Math.max(0, before.cooldown - 1);
  // While it cools down nothing counts as bad.
  const bad = better || before.cooldown > 0 ? 0 : before.bad + 1;
  const falls = bad > patience;
  return {
    best: better ? value : before.best,
    bad: falls ? 0 : bad,
    cooldown: falls ? cooldown : waiting,
    factor: before.factor * (falls ? factor : 1),
  };
}

function isBetter(
  value: number,
  best: number | null,
  threshold: number,
  threshold_mode: 'rel' | 'abs',
  mode: 'min' | 'max',
): boolean {
  if (Number.isNaN(value)) return false;
  if (best === null) return true;
  const sign = mode === 'min' ? -1 : 1;
  const margin = threshold_mode === 'rel' ? best * (1 + sign * threshold) : best + sign * threshold;
  return sign * value > sign * margin;
}
