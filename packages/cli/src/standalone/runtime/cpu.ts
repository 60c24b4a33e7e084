/** The standalone module of an artifact for the CPU. */
import { cpuRuntime } from '@sinter/backend-cpu/runtime';
import type { StandaloneOptions } from './model.ts';
import { loadModel } from './model.ts';

/** The name of the artifact's file, put here when the module is made. */
declare const SINTER_FILE: string;

/** Loads the model. Its type is in the `.d.mts` that is written with the module. */
export function load({ threads, ...options }: StandaloneOptions & { readonly threads?: number } = {}) {
  return loadModel(
    cpuRuntime(threads === undefined ? {} : { threads }),
    new URL(SINTER_FILE, import.meta.url),
    options,
  );
}
