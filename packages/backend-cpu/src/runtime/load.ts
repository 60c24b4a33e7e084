/** From an artifact to a program that is ready to run. Needs no compiler. */
import type { Artifact, Program, StateHandle } from '@sinter/compiler/artifact';
import { BackendError, keepPrepared } from '@sinter/compiler/artifact';
import { unpackCode } from './code.ts';
import { CpuProgram } from './program.ts';
import { Store } from './store.ts';

/** How programs are run. */
export interface RunSettings {
  readonly threads: number;
  readonly fma: boolean;
}

/** Loads an artifact: into the store behind `state`, or into one of its own. */
export async function load(built: Artifact, { threads, fma }: RunSettings, state?: StateHandle): Promise<Program> {
  const artifact = keepPrepared(built);
  if (state !== undefined && !(state instanceof Store)) {
    throw new BackendError(
      `program '${artifact.name}' cannot share this state: it belongs to another backend; load without it, then copy with read and write`,
    );
  }
  const code = unpackCode(artifact, fma);
  const module = WebAssembly.compile(code.module as Uint8Array<ArrayBuffer>).catch((error: unknown) => {
    throw new BackendError(`artifact '${artifact.name}' is damaged: ${(error as Error).message}; build it again`);
  });
  // It compiles while threads start; should both fail, only one error is heard.
  module.catch(() => undefined);
  const store = state ?? new Store(threads);
  return new CpuProgram(artifact, store, await store.admit(artifact, module, code.scratchBytes));
}
