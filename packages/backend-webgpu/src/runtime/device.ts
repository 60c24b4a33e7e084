/** A device as programs share it: its pipelines by code, its errors, and its end. */
import type { Requirements } from '@sinter/compiler/artifact';
import { BackendError } from '@sinter/compiler/artifact';
import type { KernelCode } from './code.ts';
import type { AdapterOptions } from './host.ts';
import { findAdapter } from './host.ts';

/** Bits of `GPUBufferUsage`, which is no global in Node. */
export const usage = {
  mapRead: 0x1,
  mapWrite: 0x2,
  copyFrom: 0x4,
  copyTo: 0x8,
  uniform: 0x40,
  storage: 0x80,
  resolve: 0x200,
} as const;
/** Bits of `GPUMapMode`. */
export const mapMode = { read: 1, write: 2 } as const;

/** Features that are asked for where the adapter has them. */
const useful = ['shader-f16', 'subgroups', 'timestamp-query'] as const satisfies readonly GPUFeatureName[];

/**
 * A new device of the adapter that fits best, with all that the adapter can do: its full limits, 16-bit floats, subgroups, timestamps.
 *
 * @throws BackendError where there is no such adapter; it says which there are, or what to install.
 */
export async function requestDevice(options: AdapterOptions = {}): Promise<GPUDevice> {
  const adapter = await findAdapter(options);
  const requiredLimits: Record<string, number> = {};
  for (const name in adapter.limits) {
    const value = (adapter.limits as unknown as Record<string, unknown>)[name];
    if (typeof value === 'number') requiredLimits[name] = value;
  }
  const requiredFeatures = useful.filter((feature) => adapter.features.has(feature));
  try {
    return await adapter.requestDevice({ label: 'sinter', requiredFeatures, requiredLimits });
  } catch (error) {
    throw new BackendError(`webgpu: the adapter gave no device: ${(error as Error).message}`);
  }
}

/** What an adapter or a device lacks of what an artifact requires, as the end of a sentence. */
export function lacking(
  has: Pick<GPUAdapter, 'features' | 'limits'>,
  { features, limits }: Requirements,
): string | undefined {
  const feature = features.find((f) => !has.features.has(f));
  if (feature !== undefined) return `the feature ${feature}`;
  for (const [name, least] of Object.entries(limits)) {
    const found = (has.limits as unknown as Record<string, number | undefined>)[name] ?? 0;
    if (found < least) return `${name} of ${least} (it has ${found})`;
  }
  return undefined;
}

/** Milliseconds to wait for the news that a device was lost. */
const patience = 100;
/** So many compiled kernels are kept for programs to come. */
const keptPipelines = 1000;

/** A device with what is kept for it. */
export class Device {
  readonly gpu: GPUDevice;
  /** Whether it was requested here, and so ends with its last user. */
  readonly owned: boolean;
  users = 0;
  /** Why the device is gone, if it is. */
  lost: string | undefined;
  readonly #layouts = new Map<number, { readonly group: GPUBindGroupLayout; readonly pipeline: GPUPipelineLayout }>();
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();

  constructor(gpu: GPUDevice, owned: boolean) {
    this.gpu = gpu;
    this.owned = owned;
    void gpu.lost.then(({ reason, message }) => {
      this.lost ??= reason === 'destroyed' ? 'it was destroyed' : message || 'for an unknown reason';
    });
  }

  /** The layout of a kernel with so many storage buffers: the sizes first, then the buffers, all of them writable. */
  layout(bindings: number): { readonly group: GPUBindGroupLayout; readonly pipeline: GPUPipelineLayout } {
    const known = this.#layouts.get(bindings);
    if (known) return known;
    const group = this.gpu.createBindGroupLayout({
      label: `sizes and ${bindings} buffers`,
      entries: Array.from({ length: bindings + 1 }, (_, binding) => ({
        binding,
        visibility: 4, // GPUShaderStage.COMPUTE
        buffer: { type: binding === 0 ? ('uniform' as const) : ('storage' as const) },
      })),
    });
    const made = { group, pipeline: this.gpu.createPipelineLayout({ bindGroupLayouts: [group] }) };
    this.#layouts.set(bindings, made);
    return made;
  }

  /** The pipeline of a kernel; equal code is compiled once. */
  pipeline(kernel: KernelCode): Promise<GPUComputePipeline> {
    const known = this.#pipelines.get(kernel.text);
    if (known) return known;
    const made = this.#compile(kernel);
    this.#pipelines.set(kernel.text, made);
    const oldest = this.#pipelines.keys().next().value;
    if (this.#pipelines.size > keptPipelines && oldest !== undefined) this.#pipelines.delete(oldest);
    made.catch(() => this.#pipelines.delete(kernel.text));
    return made;
  }

  async #compile({ name, text, entry, bindings }: KernelCode): Promise<GPUComputePipeline> {
    const { gpu } = this;
    gpu.pushErrorScope('validation');
    const module = gpu.createShaderModule({ label: name, code: text });
    const wrong = gpu.popErrorScope();
    try {
      const { pipeline: layout } = this.layout(bindings);
      return await gpu.createComputePipelineAsync({ label: name, layout, compute: { module, entryPoint: entry } });
    } catch (error) {
      const { messages } = await module.getCompilationInfo().catch(() => ({ messages: [] as GPUCompilationMessage[] }));
      await wrong.catch(() => null);
      const said = messages.filter((m) => m.type === 'error').map((m) => `${m.lineNum}:${m.linePos} ${m.message}`);
      const why = said.length > 0 ? new Error(said.join('; ')) : error;
      throw await this.failure(`kernel '${name}' does not compile`, why);
    }
  }

  /** Does `work` and waits until the device has checked it. What it finds becomes a `BackendError` that begins with `who`. */
  async checked<T>(who: string, work: () => T): Promise<T> {
    const check = this.watch();
    let result: T | undefined;
    let thrown: unknown;
    try {
      result = work();
    } catch (error) {
      thrown = error;
    }
    check.end();
    await check.passed(who);
    if (thrown !== undefined) throw await this.failure(who, thrown);
    return result as T;
  }

  /** Watches for errors of what is called until `end`; `passed` throws what was found. */
  watch(): { end(): void; passed(who: string): Promise<void> } {
    const { gpu } = this;
    gpu.pushErrorScope('out-of-memory');
    gpu.pushErrorScope('validation');
    let found: Promise<readonly [invalid: GPUError | null, memory: GPUError | null]>;
    return {
      end: () => {
        found = Promise.all([gpu.popErrorScope(), gpu.popErrorScope()]);
        found.catch(() => undefined);
      },
      passed: async (who) => {
        const [invalid, memory] = await found.catch(async (error: unknown) => {
          throw await this.failure(who, error);
        });
        if (memory) throw this.error(`${who}: out of memory${memory.message ? `: ${memory.message}` : ''}`);
        if (invalid) throw this.error(`${who}: ${invalid.message}`);
        if (this.lost !== undefined) throw this.error(who);
      },
    };
  }

  /** An error that says, if that is so, that the device was lost. */
  error(message: string): BackendError {
    if (this.lost === undefined) return new BackendError(message);
    return new BackendError(
      `${message}: the device was lost (${this.lost}); call restore() on a program to go on with a new device and the last copies of the state`,
    );
  }

  /** What became of something that failed. A loss is told a little later than the failures that come of it. */
  async failure(who: string, error: unknown): Promise<BackendError> {
    if (error instanceof BackendError) return error;
    await Promise.race([this.gpu.lost, new Promise((resolve) => setTimeout(resolve, patience))]);
    return this.error(`${who}: ${(error as Error).message || (error as Error).name}`);
  }

  /** Ends a device that was requested here. */
  destroy(): void {
    this.lost ??= 'its last program was closed';
    this.gpu.destroy();
  }
}

/** Milliseconds that a device stays without a program. */
const linger = 1000;

/** Where programs get their device from: one that was handed over, or one that is requested when it is first needed. */
export class DeviceSource {
  readonly #options: AdapterOptions;
  readonly #given: GPUDevice | undefined;
  #current: Promise<Device | undefined> = Promise.resolve(undefined);
  #idle: ReturnType<typeof setTimeout> | undefined;

  constructor(options: AdapterOptions, given?: GPUDevice) {
    this.#options = options;
    this.#given = given;
  }

  /** What an artifact requires and this machine lacks. Requests no device. */
  async lacks(requires: Requirements): Promise<string | undefined> {
    const device = this.#given ?? (await this.#current)?.gpu;
    return lacking(device ?? (await findAdapter(this.#options)), requires);
  }

  /** The device for one more user, who must release it. A lost one is replaced, by `replacement` where it is given. */
  acquire(replacement?: GPUDevice): Promise<Device> {
    const next = this.#next(this.#current, replacement);
    this.#current = next.catch(() => undefined);
    return next;
  }

  async #next(last: Promise<Device | undefined>, replacement: GPUDevice | undefined): Promise<Device> {
    const current = await last;
    let device = current;
    if (replacement) {
      if (current?.gpu !== replacement) device = new Device(replacement, false);
    } else if (!current || current.lost !== undefined) {
      if (current && this.#given)
        throw new BackendError('webgpu: the device that was handed over is lost; hand over a new one: restore(device)');
      device = this.#given ? new Device(this.#given, false) : new Device(await requestDevice(this.#options), true);
    }
    device!.users++;
    clearTimeout(this.#idle);
    return device!;
  }

  /**
   * One user less. A device that was requested here stays a moment longer than its last user, so that closing one program and
   * loading the next does not compile everything again; it does not keep the process alive.
   */
  release(device: Device): void {
    if (--device.users > 0 || !device.owned) return;
    if (device.lost !== undefined) return;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      if (device.users === 0) device.destroy();
    }, linger);
    // A number in browsers, which have nothing that could be kept alive.
    (this.#idle as unknown as { unref?(): void }).unref?.();
  }
}
