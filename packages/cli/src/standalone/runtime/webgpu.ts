/** The standalone module of an artifact for WebGPU. */
import { webgpuRuntime } from '@sinter/backend-webgpu/runtime';
import type { WebgpuOptions } from '@sinter/backend-webgpu/runtime';
import type { StandaloneOptions } from './model.ts';
import { loadModel } from './model.ts';

/** The name of the artifact's file, put here when the module is made. */
declare const SINTER_FILE: string;

/** Loads the model. Its type is in the `.d.mts` that is written with the module. */
export function load({ device, ...options }: StandaloneOptions & Pick<WebgpuOptions, 'device'> = {}) {
  return loadModel(
    webgpuRuntime(device === undefined ? {} : { device }),
    new URL(SINTER_FILE, import.meta.url),
    options,
  );
}
