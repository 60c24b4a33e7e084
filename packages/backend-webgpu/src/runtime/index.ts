/**
 * Loads and runs artifacts on WebGPU, without the compiler.
 *
 * @packageDocumentation
 */
import type { Artifact, LoadOptions, Runtime } from '@sinter/compiler/artifact';
import { BackendError, contractVersion } from '@sinter/compiler/artifact';
import { backendName } from './code.ts';
import type { DeviceInfo } from './adapters.ts';
import { DeviceSource } from './device.ts';
import type { AdapterOptions } from './host.ts';
import type { WebgpuProgram } from './program.ts';
import { openProgram } from './program.ts';
import { isStore, makeStore } from './store.ts';

export type { DeviceInfo } from './adapters.ts';
export { requestDevice } from './device.ts';
export type { AdapterOptions } from './host.ts';
export type { WebgpuProgram } from './program.ts';

/** Options of {@link webgpuRuntime}. */
export interface WebgpuOptions extends AdapterOptions {
  /** A device of yours (a page's own, Electron's, Deno's). It is not destroyed at the end. By default one is requested when the first artifact is loaded. */
  readonly device?: GPUDevice;
  /**
   * Whether state that is written or read is kept in memory of the host too, so that it can be brought back after the device
   * was lost ({@link WebgpuProgram.restore}). It costs as much memory as the state, and a copy with every `read` and `write`. Default: true.
   */
  readonly keepCopies?: boolean;
}

/** A runtime whose programs can go on after the device was lost. */
export interface WebgpuRuntime extends Runtime {
  load(artifact: Artifact, options?: LoadOptions): Promise<WebgpuProgram>;
}

/**
 * Loads artifacts that were built for WebGPU. The device is requested with the first of them and ends with the last program.
 */
export function webgpuRuntime(options: WebgpuOptions = {}): WebgpuRuntime {
  const { device, keepCopies = true, ...adapter } = options;
  const source = new DeviceSource(adapter, device);
  return {
    name: backendName,
    contract: contractVersion,
    supports: (requires) => source.lacks(requires),
    async load(artifact, { state, onProgress } = {}) {
      if (state !== undefined && !isStore(state)) {
        throw new BackendError(
          `program '${artifact.name}' cannot share this state: it belongs to another backend; copy it with read and write`,
        );
      }
      return openProgram(artifact, state ?? makeStore(source, keepCopies), onProgress);
    },
  };
}

/** The adapters of this machine, as far as they can be told apart: a browser shows two or three at most. Requests no device. */
export async function devices(options: AdapterOptions = {}): Promise<DeviceInfo[]> {
  return (await import('./adapters.ts')).deviceInfos(options);
}
