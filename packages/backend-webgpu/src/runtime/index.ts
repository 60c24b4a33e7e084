/**
 * Loads and runs artifacts on WebGPU, without the compiler.
 *
 * @packageDocumentation
 */
import type { Artifact, LoadOptions, Runtime } from '@sinter/compiler/artifact';
import { BackendError, contractVersion } from '@sinter/compiler/artifact';
import { backendName, unpackCode } from './code.ts';
import { DeviceSource } from './device.ts';
import type { AdapterOptions } from './host.ts';
import { isSoftware, listAdapters } from './host.ts';
import type { WebgpuProgram } from './program.ts';
import { StoredProgram } from './program.ts';
import { Store } from './store.ts';

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
      if (state !== undefined && !(state instanceof Store)) {
        throw new BackendError(
          `program '${artifact.name}' cannot share this state: it belongs to another backend; load without it, then copy with read and write`,
        );
      }
      const kernels = unpackCode(artifact);
      const store = state ?? new Store(source, keepCopies);
      const program = new StoredProgram(artifact, kernels, store, onProgress);
      await store.admit(program);
      return program;
    },
  };
}

/** An adapter that {@link devices} has found. */
export interface DeviceInfo {
  /** What it calls itself; {@link AdapterOptions} `name` finds it by a part of this. */
  readonly name: string;
  readonly vendor: string;
  readonly architecture: string;
  /** Whether the processor does the work of a GPU. */
  readonly software: boolean;
  /** Names of WebGPU's features. */
  readonly features: readonly string[];
  /** The largest buffer, and the largest tensor that a kernel can reach, in bytes. */
  readonly maxBufferBytes: number;
  readonly maxTensorBytes: number;
  /** Memory that a workgroup shares, in bytes, and the threads that it may have. */
  readonly sharedBytes: number;
  readonly maxWorkgroup: number;
}

/** The adapters of this machine, as far as they can be told apart: a browser shows two or three at most. Requests no device. */
export async function devices(): Promise<DeviceInfo[]> {
  return (await listAdapters()).map(({ name, adapter }) => {
    const { info, limits, features } = adapter;
    return {
      name,
      vendor: info.vendor,
      architecture: info.architecture,
      software: isSoftware(info),
      features: [...features].sort(),
      maxBufferBytes: limits.maxBufferSize,
      maxTensorBytes: limits.maxStorageBufferBindingSize,
      sharedBytes: limits.maxComputeWorkgroupStorageSize,
      maxWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
    };
  });
}
