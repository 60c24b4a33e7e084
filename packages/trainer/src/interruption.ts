/** Ctrl-C and `AbortSignal`: a wish to stop that is granted after the current step. */

/** Listens until it is ended. */
export interface Interruption {
  /** Whether somebody wants to stop. */
  readonly requested: boolean;
  /** Stops listening. */
  end(): void;
}

/** Begins to listen. The second Ctrl-C ends the process at once. */
export function interruption(signal?: AbortSignal): Interruption {
  let pressed = false;
  const onInterrupt = (): void => {
    if (pressed) process.exit(130);
    pressed = true;
    console.error('\nStopping after this step, with a checkpoint. Ctrl-C again stops at once, without one.');
  };
  process.on('SIGINT', onInterrupt);
  return {
    get requested() {
      return pressed || (signal?.aborted ?? false);
    },
    end: () => void process.off('SIGINT', onInterrupt),
  };
}
