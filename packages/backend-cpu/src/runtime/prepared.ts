/** Steps that need to run once only: they are left out of a run unless the state that they read has changed since. */
import type { Artifact } from '@sinter/compiler/artifact';
import { preparedFrom } from '@sinter/compiler/artifact';
import type { SharedState } from './shared-state.ts';

/** Does one run of a program, on its turn: `run` is told which step is the first. */
export type Runner = (run: (first: number) => Promise<void>) => Promise<void>;

/** What stands around every run of a program whose state lies in `shared`. */
export function runner(artifact: Artifact, shared: SharedState): Runner {
  const { prepare = 0, state, updates = Object.keys(state) } = artifact;
  const held = (names: readonly string[]) => names.map((name) => shared.find(name));
  const [read, changed] = [held(preparedFrom(artifact)), held(updates)];
  /** Another number as soon as any of what is read has changed. */
  const version = (): number => read.reduce((sum, tensor) => sum + tensor.version, 0);
  let made = -1;
  return async (run) => {
    const first = made === version() ? prepare : 0;
    for (const tensor of changed) tensor.version++;
    await run(first);
    made = version();
  };
}
