/** A device as programs share it: its pipelines by code, its errors, and its end. */
import type { Requirements } from '@sinter/compiler/artifact';
import { BackendError } from '@sinter/compiler/artifact';
import type { KernelCode } from './code.ts';
import type { AdapterOptions } from './host.ts';
import { findAdapter } from './host.ts';

// What buffers are for: bits of `GPUBufferUsage`, which is no global in Node.
/** Kernels use it, and it is copied to and from: `STORAGE | COPY_DST | COPY_SRC`. */
export const tensorUsage = 0x8c;
/** `UNIFORM`. */
export const uniformUsage = 0x40;
/** `MAP_WRITE | COPY_SRC`. */
export const upUsage = 0x6;
/** `MAP_READ | COPY_DST`. */
export const downUsage = 0x9;
// Bits of `GPUMapMode`.
/** Mapped in order to be read. */
export const mapRead = 1;
/** Mapped in order to be written. */
export const mapWrite = 2;

/** Features that are asked for where the adapter has them. */
const useful = ['shader-f16', 'subgroups', 'timestamp-query'] as const satisfies readonly GPUFeatureName[];
/** Milliseconds to wait for the news that a device was lost. */
const patience = 100;
/** So many compiled kernels are kept for programs to come. */
const keptPipelines = 1000;
/** Milliseconds that a device stays without a program. */
const linger = 1000;

/**
 * A new device of the adapter that fits best, with all that the adapter can do: its full limits, 16-bit floats, subgroups, timestamps.
 *
 * @throws BackendError where there is no such adapter; it says which there are, or what to install.
 */
export async function requestDevice(options: AdapterOptions = {}): Promise<GPUDevice> {
  const adapter = await findAdapter(options);
  const limits = adapter.limits as unknown as Record<string, number>;
  const requiredLimits: Record<string, number> = {};
  for (const name in limits) if (limits[name]! > 0) requiredLimits[name] = limits[name]!;
  return adapter.requestDevice({
    requiredFeatures: useful.filter((feature) => adapter.features.has(feature)),
    requiredLimits,
  });
}

/** A device with what is kept for it. */
export class Device {
  readonly gpu: GPUDevice;
  /** Whether it was requested here, and so ends with its last user. */
  readonly owned: boolean;
  users = 0;
  /** Why the device is gone, if it is. */
  lost: string | undefined;
  readonly #layouts: GPUBindGroupLayout[] = [];
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();

  constructor(gpu: GPUDevice, owned: boolean) {
    this.gpu = gpu;
    this.owned = owned;
    void gpu.lost.then(({ reason, message }) => {
      this.lost = message || reason;
    });
  }

  /** The layout of a kernel with so many storage buffers: the sizes first, then the buffers, all of them writable. */
  layout(bindings: number): GPUBindGroupLayout {
    return (this.#layouts[bindings] ??= this.gpu.createBindGroupLayout({
      entries: Array.from({ length: bindings + 1 }, (_, binding) => ({
        binding,
        visibility: 4, // GPUShaderStage.COMPUTE
        buffer: { type: binding === 0 ? 'uniform' : 'storage' },
      })),
    }));
  }

  /** The pipeline of a kernel; equal code is compiled once. */
  pipeline(kernel: KernelCode): Promise<GPUComputePipeline> {
    const pipelines = this.#pipelines;
    let made = pipelines.get(kernel.text);
    if (!made) {
      made = this.#compile(kernel);
      made.catch(() => pipelines.delete(kernel.text));
      pipelines.set(kernel.text, made);
      if (pipelines.size > keptPipelines) pipelines.delete(pipelines.keys().next().value!);
    }
    return made;
  }

  async #compile({ name, text, entry, bindings }: KernelCode): Promise<GPUComputePipeline> {
    const { gpu } = this;
    const who = `kernel '${name}' does not compile`;
    const { value: module, passed } = this.guard(who, () => gpu.createShaderModule({ label: name, code: text }));
    const made = gpu.createComputePipelineAsync({
      label: name,
      layout: gpu.createPipelineLayout({ bindGroupLayouts: [this.layout(bindings)] }),
      compute: { module, entryPoint: entry },
    });
    return made.catch(async (error: unknown) => {
      // What is wrong with the text says more.
      await passed;
      throw await this.failure(who, error);
    });
  }

  /** A new buffer, with `data` in it. */
  buffer(label: string, size: number, use: number, data?: ArrayBufferView): GPUBuffer {
    const buffer = this.gpu.createBuffer({ label, size, usage: use, mappedAtCreation: !!data });
    if (data) {
      put(buffer.getMappedRange(), 0, data);
      buffer.unmap();
    }
    return buffer;
  }

  /** Does `work`, which must not wait. `passed` tells whether the device finds it in order: a `BackendError` that begins with `who` if not. */
  guard<T>(who: string, work: () => T): { readonly value: T; readonly passed: Promise<void> } {
    const { gpu } = this;
    gpu.pushErrorScope('out-of-memory');
    gpu.pushErrorScope('validation');
    let value: T | undefined;
    let thrown: unknown;
    try {
      value = work();
    } catch (error) {
      thrown = error;
    }
    const passed = Promise.all([gpu.popErrorScope(), gpu.popErrorScope()]).then(async ([invalid, memory]) => {
      const wrong = thrown ?? memory ?? invalid;
      if (wrong) throw await this.failure(memory ? `${who}: out of memory` : who, wrong);
      if (this.lost) throw this.error(who);
    });
    // Who does not wait for it hears of it elsewhere.
    passed.catch(() => undefined);
    return { value: value as T, passed };
  }

  /** The value of `work` once the device has found it in order. */
  async checked<T>(who: string, work: () => T): Promise<T> {
    const { value, passed } = this.guard(who, work);
    await passed;
    return value;
  }

  /** An error that says, if that is so, that the device was lost. */
  error(message: string): BackendError {
    return new BackendError(
      this.lost ? `${message}: the device was lost (${this.lost}); call restore() on a program` : message,
    );
  }

  /** What became of something that failed. A loss is told a little later than the failures that come of it. */
  async failure(who: string, error: unknown): Promise<BackendError> {
    if (error instanceof BackendError) return error;
    const { name, message } = error as { readonly name?: string; readonly message: string };
    // What has no name is an error of the device about what was asked, which then is well.
    if (name) await Promise.race([this.gpu.lost, new Promise((resolve) => setTimeout(resolve, patience))]);
    return this.error(`${who}: ${message || name}`);
  }
}

/** Where programs get their device from: one that was handed over, or one that is requested when it is first needed. */
export class DeviceSource {
  readonly #options: AdapterOptions;
  readonly #given: GPUDevice | undefined;
  #current: Promise<Device | undefined> = Promise.resolve(undefined);

  constructor(options: AdapterOptions, given?: GPUDevice) {
    this.#options = options;
    this.#given = given;
  }

  /** What an artifact requires and this machine lacks, as the end of a sentence. Requests no device. */
  async lacks({ features, limits }: Requirements): Promise<string | undefined> {
    const has = this.#given ?? (await findAdapter(this.#options));
    const feature = features.find((f) => !has.features.has(f));
    if (feature) return `the feature ${feature}`;
    for (const [name, least] of Object.entries(limits)) {
      const found = has.limits[name as keyof GPUSupportedLimits] as number | undefined;
      if (!(found! >= least)) return `${name} of ${least} (it has ${found})`;
    }
    return undefined;
  }

  /** The device for one more user, who must release it. A lost one is replaced, by `replacement` where it is given. */
  acquire(replacement?: GPUDevice): Promise<Device> {
    const next = this.#current.then(async (current) => {
      let device = current;
      if (replacement) device = new Device(replacement, false);
      else if (!device || device.lost) {
        if (device && this.#given) throw device.error('webgpu: give restore() a new device');
        device = new Device(this.#given ?? (await requestDevice(this.#options)), !this.#given);
      }
      device.users++;
      return device;
    });
    const before = this.#current;
    this.#current = next.catch(() => before);
    return next;
  }

  /**
   * One user less. A device that was requested here stays a moment longer than its last user, so that closing one program and
   * loading the next does not compile everything again; it does not keep the process alive.
   */
  release(device: Device): void {
    if (--device.users > 0 || !device.owned) return;
    const timer: unknown = setTimeout(() => {
      if (device.users > 0) return;
      device.lost ??= 'closed';
      device.gpu.destroy();
    }, linger);
    // A number in browsers, which have nothing that could be kept alive.
    (timer as { unref?(): void }).unref?.();
  }
}

/** Copies bytes to a place in memory. */
export function put(memory: ArrayBuffer, at: number, { buffer, byteOffset, byteLength }: ArrayBufferView): void {
  new Uint8Array(memory, at, byteLength).set(new Uint8Array(buffer, byteOffset, byteLength));
}

/** `1.25 MiB`. */
export function showBytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(2)} MiB`;
}
