/** Finds a device and loads the bundle that was built for it: WebGPU where there is an adapter, else the CPU. */
import { cpuRuntime } from '@sinter/backend-cpu/runtime';
import { requestDevice, webgpuRuntime } from '@sinter/backend-webgpu/runtime';
import { loadBundle, urlSource } from '@sinter/compiler/artifact';
import type { Loaded, LoadProgress, Runtime } from '@sinter/compiler/artifact';

/** A device, and how it is called. */
interface Device {
  readonly backend: 'WebGPU' | 'CPU';
  readonly name: string;
  readonly runtime: Runtime;
}

/** A loaded bundle, and what loading was like. */
export interface OpenModel {
  readonly device: Omit<Device, 'runtime'>;
  readonly loaded: Loaded;
  /** Bytes that were read, and milliseconds until everything was there and checked. */
  readonly bytes: number;
  readonly ms: number;
  /** Why it does not run on WebGPU. */
  readonly withoutWebGPU?: string;
}

/** Loads the model; `onProgress` hears the device as soon as it is known, then how far things are. */
export async function openModel(
  onDevice: (device: Pick<Device, 'backend' | 'name'>) => void,
  onProgress: (progress: LoadProgress) => void,
): Promise<OpenModel> {
  let withoutWebGPU: string | undefined;
  for (const find of [findGpu, findCpu]) {
    try {
      const device = await find();
      onDevice(device);
      const opened = await load(device, onProgress);
      return { ...opened, ...(withoutWebGPU !== undefined && { withoutWebGPU }) };
    } catch (error) {
      if (find === findCpu) throw error;
      withoutWebGPU = (error as Error).message;
    }
  }
  throw new Error('no device was tried');
}

async function findGpu(): Promise<Device> {
  const device = await requestDevice();
  const { vendor, architecture, description } = device.adapterInfo;
  const name = description || [vendor, architecture].filter(Boolean).join(' ') || 'a GPU without a name';
  return { backend: 'WebGPU', name, runtime: webgpuRuntime({ device }) };
}

async function findCpu(): Promise<Device> {
  const runtime = cpuRuntime();
  const { threads } = runtime;
  return { backend: 'CPU', name: `WebAssembly, ${threads} ${threads === 1 ? 'thread' : 'threads'}`, runtime };
}

async function load(
  { runtime, ...device }: Device,
  onProgress: (progress: LoadProgress) => void,
): Promise<Omit<OpenModel, 'withoutWebGPU'>> {
  const began = performance.now();
  const bytes = { read: 0, weights: 0 };
  const url = new URL(`model/${runtime.name}.sinter`, document.baseURI);
  const loaded = await loadBundle(urlSource(url), runtime, {
    selfCheck: true,
    onProgress(progress) {
      const { stage, done } = progress;
      if (stage === 'read' || stage === 'weights') bytes[stage] = done;
      onProgress(progress);
    },
  });
  return { device, loaded, bytes: bytes.read + bytes.weights, ms: performance.now() - began };
}
