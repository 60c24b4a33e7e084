/** Loads artifacts of C: compiles them for this machine, once, and runs them on threads of their own. */
import type { Artifact, LoadOptions, Program, Runtime } from '@sinter/compiler/artifact';
import { BackendError, codeOf, contractVersion, keepPrepared } from '@sinter/compiler/artifact';
import { compileLibrary } from './build.ts';
import type { CCompiler } from './compiler.ts';
import { threadCount } from '../host.ts';
import { builtin, findCompiler } from './compiler.ts';
import type { Library } from './library.ts';
import { koffiFault, openLibrary } from './library.ts';
import { NativeProgram } from './program.ts';
import { NativeStore } from './store.ts';
import { librarySource } from './support.ts';

/** The `backend` of artifacts of C. */
export const nativeName = 'cpu-native';
/** The part of their `code` that holds the source. */
export const sourcePart = 'kernels.c';

/** The native runtime, and what it runs on. */
export interface NativeRuntime extends Runtime {
  readonly kind: 'native';
  /** Threads that each program runs on. */ readonly threads: number;
  /** What compiles artifacts here. */ readonly compiler: CCompiler;
}

/** Options of {@link nativeRuntime}. */
export interface NativeRuntimeOptions {
  /** Threads that a program runs on, at least 1. Default: as many as the machine runs at once, at most 16. */
  readonly threads?: number;
  /** The C compiler, a command or a path. Default: the first of `cc`, `gcc` and `clang` that works. */
  readonly cc?: string;
}

/**
 * The runtime of artifacts that `cpu({ target: 'native' })` built. It compiles their C when they are loaded for the first
 * time, and needs Node, a C compiler and the package `koffi`.
 *
 * @throws BackendError where there is no C compiler or no `koffi`; it says what to install.
 */
export function nativeRuntime({ threads: wanted, cc }: NativeRuntimeOptions = {}): NativeRuntime {
  const threads = threadCount(wanted);
  const compiler = findCompiler(cc);
  const fault = koffiFault();
  if (fault !== undefined) throw new BackendError(fault);
  return {
    kind: 'native',
    name: nativeName,
    contract: contractVersion,
    threads,
    compiler,
    load: (artifact, options = {}) => load(artifact, { threads, compiler }, options),
  };
}

async function load(
  built: Artifact,
  { threads, compiler }: { readonly threads: number; readonly compiler: CCompiler },
  { state, onProgress }: LoadOptions,
): Promise<Program> {
  const artifact = keepPrepared(built);
  const { name, steps, kernels } = artifact;
  const { [sourcePart]: kernelSource } = codeOf(artifact, nativeName, [sourcePart]);
  if (state !== undefined && !(state instanceof NativeStore)) {
    throw new BackendError(
      `program '${name}' cannot share this state: it belongs to another backend; load without it, then copy with read and write`,
    );
  }
  const mostBuffers = Math.max(0, ...steps.map(({ buffers }) => buffers.length));
  const library = await obtain(
    {
      name,
      source: librarySource(new TextDecoder().decode(kernelSource), mostBuffers),
      onProgress:
        onProgress &&
        ((done, total) =>
          onProgress({ stage: 'compile', done: Math.round((done / total) * kernels.length), total: kernels.length })),
    },
    compiler,
  );
  const store = state ?? new NativeStore(threads);
  return new NativeProgram(artifact, store, await store.admit(artifact, library));
}

/** A library from the cache; one that cannot be loaded (damaged, or of a system that was updated) is made again. */
async function obtain(source: Parameters<typeof compileLibrary>[0], compiler: CCompiler): Promise<Library> {
  const path = await compileLibrary(source, compiler);
  try {
    return await openLibrary(path);
  } catch (error) {
    if (koffiFault() !== undefined) throw error;
    await builtin('node:fs').promises.rm(path, { force: true });
    return openLibrary(await compileLibrary(source, compiler));
  }
}
