/**
 * Runs plans on WebGPU: kernels as WGSL, one submission a run, in browsers and in Node.
 *
 * @packageDocumentation
 */
import type { Artifact, Backend, LoadOptions } from '@sinter/compiler';
import { buildArtifact } from './build.ts';
import { describeGpu } from './describe.ts';
import type { WebgpuOptions, WebgpuProgram } from './runtime/index.ts';
import { findAdapter } from './runtime/host.ts';
import { webgpuRuntime } from './runtime/index.ts';

export type { AdapterOptions, DeviceInfo, WebgpuOptions, WebgpuProgram, WebgpuRuntime } from './runtime/index.ts';
export { devices, requestDevice, webgpuRuntime } from './runtime/index.ts';

/** WebGPU as a backend, whose programs can go on after the device was lost. */
export interface WebgpuBackend extends Backend {
  load(artifact: Artifact, options?: LoadOptions): Promise<WebgpuProgram>;
}

/**
 * WebGPU as a backend: {@link webgpuRuntime}, and what builds for it.
 *
 * Without a device, plans keep to what every device has (8 buffers a kernel, 256 threads and 16 KiB of shared memory a workgroup), so that
 * artifacts run everywhere; a device is requested when the first artifact is loaded. With `device` plans use all that it has.
 */
export function webgpu(options: WebgpuOptions = {}): WebgpuBackend {
  const target = describeGpu(options.device);
  return {
    ...webgpuRuntime(options),
    // The cache knows our packages by itself.
    version: '1',
    target,
    async machine() {
      const { vendor, architecture, description } = options.device?.adapterInfo ?? (await findAdapter(options)).info;
      return [vendor, architecture, description].join(' ');
    },
    build: async (plan) => buildArtifact(plan, target),
  };
}
