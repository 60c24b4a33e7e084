/** Shows how far a training is: a bar on a terminal, now and then a plain line where there is none. */
import { MultiBar } from 'cli-progress';
import type { SingleBar } from 'cli-progress';
import type { StepResult, TrainerCallback, TrainerState } from './callback.ts';
import { logLine, short } from './printer.ts';

/** Options of {@link progressCallback}. */
export interface ProgressOptions {
  /** Where it is shown. Default `process.stderr`: a bar if that is a terminal, lines otherwise. */
  readonly stream?: NodeJS.WriteStream;
  /** Seconds between plain lines. Default 10. */
  readonly seconds?: number;
}

/** Steps, loss, learning rate, tokens a second and time left, and every log. */
export function progressCallback(options: ProgressOptions = {}): TrainerCallback {
  const { stream = process.stderr, seconds = 10 } = options;
  return stream.isTTY ? bar(stream) : lines(stream, seconds);
}

function bar(stream: NodeJS.WriteStream): TrainerCallback {
  let bars: MultiBar | undefined;
  let training: SingleBar | undefined;
  let evaluating: SingleBar | undefined;
  let speed: Speed | undefined;
  const done = (): void => {
    bars?.stop();
    bars = training = evaluating = undefined;
  };
  return {
    on_train_begin(_args, state) {
      speed = new Speed(state);
      bars = new MultiBar({
        stream,
        hideCursor: false,
        gracefulExit: false,
        clearOnComplete: false,
        stopOnComplete: false,
        format: '{bar} {value}/{total}{note}',
        barsize: 24,
      });
      training = bars.create(state.max_steps, state.global_step, { note: '' });
    },
    on_step_end(_args, state, _control, { result }) {
      if (result && speed) training?.update(state.global_step, { note: `  ${speed.describe(state, result)}` });
    },
    on_prediction_step(_args, _state, _control, { batch }) {
      if (!bars || !batch) return;
      evaluating ??= bars.create(batch.of, 0, { note: '  evaluating' });
      evaluating.update(batch.done);
      if (batch.done < batch.of) return;
      bars.remove(evaluating);
      evaluating = undefined;
    },
    on_log(_args, _state, _control, { logs = {} }) {
      // Above the bar, so that neither overwrites the other.
      if (bars) bars.log(`${logLine(logs)}\n`);
      else console.log(logLine(logs));
    },
    on_train_end: done,
  };
}

function lines(stream: NodeJS.WriteStream, seconds: number): TrainerCallback {
  let speed: Speed | undefined;
  let shown = 0;
  return {
    on_train_begin(_args, state) {
      speed = new Speed(state);
      shown = performance.now();
    },
    on_step_end(_args, state, _control, { result }) {
      if (!result || !speed || performance.now() - shown < seconds * 1000) return;
      shown = performance.now();
      const percent = Math.floor((100 * state.global_step) / state.max_steps);
      stream.write(`step ${state.global_step}/${state.max_steps} (${percent} %)  ${speed.describe(state, result)}\n`);
    },
    on_log: (_args, _state, _control, { logs = {} }) => console.log(logLine(logs)),
  };
}

/** Tokens a second and time left, from the start of the run. */
class Speed {
  readonly #began = performance.now();
  readonly #step: number;
  readonly #tokens: number;

  constructor(state: TrainerState) {
    this.#step = state.global_step;
    this.#tokens = state.num_input_tokens_seen;
  }

  describe(state: TrainerState, result: StepResult): string {
    const seconds = (performance.now() - this.#began) / 1000;
    const tokens = (state.num_input_tokens_seen - this.#tokens) / seconds;
    const left = (seconds / (state.global_step - this.#step)) * (state.max_steps - state.global_step);
    return `loss ${result.loss.toFixed(4)}  lr ${short(result.learning_rate)}  ${Math.round(tokens).toLocaleString('en')} tokens/s  ${duration(left)} left`;
  }
}

/** `1:02:03`, `2:03`. */
function duration(seconds: number): string {
  const s = Math.round(seconds);
  const two = (x: number): string => String(x).padStart(2, '0');
  const [hours, minutes] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(s % 60)}` : `${minutes}:${two(s % 60)}`;
}
