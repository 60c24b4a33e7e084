/** From a `.sinter` file to programs that are ready to run: everything is checked before anything runs. */
import { ahead } from './ahead.ts';
import { checkBackend } from './code.ts';
import { ArtifactError } from './errors.ts';
import type { Manifest } from './manifest.ts';
import type { Program, StateHandle } from './program.ts';
import { entryOf, openBundle } from './reader.ts';
import type { LoadProgress, Runtime } from './runtime.ts';
import { contractVersion } from './runtime.ts';
import type { ByteSource } from './source.ts';

/** Options of {@link loadBundle}. */
export interface LoadBundleOptions {
  /** The entry points that are loaded, and with them the state that they use. Default: all. */
  readonly entries?: readonly string[];
  /** Hears how far loading is. */
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Runs the stored cases of the loaded entry points and compares the answers; state is as before afterwards. Default: false. */
  readonly selfCheck?: boolean;
  /** Ends loading; the promise is rejected with its reason. */
  readonly signal?: AbortSignal;
}

/** Loaded programs that share state. */
export interface Loaded {
  /** By the names of their entry points. */
  readonly programs: Readonly<Record<string, Program>>;
  readonly state: StateHandle;
  readonly manifest: Manifest;
  /** A file of the bundle, read from its source, which must still be open. @throws ArtifactError `unknown-file` and as reading */
  file(name: string): Promise<Uint8Array>;
  /** Closes all programs. */
  close(): void;
  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Loads a `.sinter` file. Code is read first and compiled, then weights stream in pieces to the device; each byte
 * is verified before it is used, and no tensor is ever in memory as a whole.
 *
 * @throws ArtifactError that says why the file is refused; nothing has run then, and nothing stays loaded.
 * @throws BackendError where the runtime cannot load a program, or the device has no room for it.
 */
export async function loadBundle(
  source: ByteSource,
  runtime: Runtime,
  options: LoadBundleOptions = {},
): Promise<Loaded> {
  const { signal, onProgress } = options;
  const reader = await openBundle(source, options);
  const { manifest } = reader;
  const names = options.entries ?? Object.keys(manifest.entries);
  await checkRuntime(manifest, names, runtime);
  const read = (stage: LoadProgress['stage']) => ({
    ...(signal && { signal }),
    onProgress: (done: number, total: number) => onProgress?.({ stage, done, total }),
  });

  const artifacts = await reader.artifacts(names, read('read'));
  // Weights are read and verified while code is compiled.
  const weights = ahead(reader.weights(stored(manifest, names), read('weights')), 4);
  const programs: Record<string, Program> = {};
  const closeAll = (): void => Object.values(programs).forEach((program) => program.close());
  try {
    let state: StateHandle | undefined;
    for (const name of names) {
      signal?.throwIfAborted();
      programs[name] = await runtime.load(artifacts[name]!, {
        ...(state && { state }),
        ...(onProgress && { onProgress }),
      });
      state ??= programs[name].state;
    }
    if (!state)
      throw new ArtifactError(
        'unknown-entry',
        `no entry point of '${manifest.name}' was asked for; it has ${Object.keys(manifest.entries).join(', ')}`,
      );
    for await (const { name, data, at } of weights) await state.write(name, data, at);
    signal?.throwIfAborted();
    if (options.selfCheck) {
      // Fetched by those who want it.
      const { runChecks } = await import('./self-check.ts');
      await runChecks(reader, programs, state, read('check'));
    }
    return {
      programs,
      state,
      manifest,
      file: (name) => reader.file(name),
      close: closeAll,
      [Symbol.asyncDispose]: async () => {
        await Promise.all(Object.values(programs).map((program) => program[Symbol.asyncDispose]()));
      },
    };
  } catch (error) {
    await weights.return?.();
    closeAll();
    throw error;
  }
}

/** Refuses what the runtime cannot run. */
async function checkRuntime(manifest: Manifest, names: readonly string[], runtime: Runtime): Promise<void> {
  const entries = names.map((name) => entryOf(manifest, name));
  checkBackend(manifest.name, manifest.backend, runtime.name);
  const contract = Math.min(contractVersion, runtime.contract ?? 1);
  if (manifest.contract > contract)
    throw new ArtifactError(
      'newer',
      `'${manifest.name}' was built for contract ${manifest.contract}, the runtime '${runtime.name}' and its loader know ${contract}; update them`,
    );
  for (const { requires } of entries) {
    const missing = requires && (await runtime.supports?.(requires));
    if (missing !== undefined)
      throw new ArtifactError('requires', `'${manifest.name}' cannot run on this machine: it requires ${missing}`);
  }
}

/** The state of these entry points that has weights. */
function stored({ entries, state }: Manifest, names: readonly string[]): string[] {
  const used = new Set(names.flatMap((name) => entries[name]!.state));
  return [...used].filter((name) => typeof state[name]?.from === 'object');
}
