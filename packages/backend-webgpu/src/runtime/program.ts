/** A loaded program: it checks what it is given, places buffers for the sizes at hand, and submits a run as one command buffer. */
import type { Sizes, TensorData } from '@sinter/ir';
import { dataView, shapeSize } from '@sinter/ir';
import type { Artifact, LoadProgress, Ports, Program, StateHandle, StepTime } from '@sinter/compiler/artifact';
import { BackendError, bindInputs, checkSizes, evaluateSize, fixedSizes } from '@sinter/compiler/artifact';
import type { KernelCode } from './code.ts';
import type { Device } from './device.ts';
import { usage } from './device.ts';
import type { Placed } from './layout.ts';
import { bufferBytes, placeInArena } from './layout.ts';
import { timed } from './profile.ts';
import type { Resident, Store, Transfer } from './store.ts';
import { checkBinding } from './store.ts';

type Given = Readonly<Record<string, TensorData>>;

/** A program on WebGPU: what it can do besides. */
export interface WebgpuProgram extends Program {
  /**
   * Goes on after the device was lost: gets a new device, compiles the kernels again, and brings back the state from the last
   * copies on the host, that is what was last written to or read from each tensor (zeros where there was nothing). All programs
   * that share the state are restored at once. Does nothing where the device is well.
   *
   * @param device - The new device, where the backend was made with one of yours.
   * @throws BackendError where there is no new device.
   */
  restore(device?: GPUDevice): Promise<void>;
}

/** A step that is ready to be dispatched; no workgroups: nothing is to be done. */
export interface Dispatch {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly x: number;
  readonly y: number;
}

/** What a run with certain sizes needs, made once. */
interface Prepared {
  readonly placed: Placed;
  readonly sizes: GPUBuffer;
  /** For which arena the bind groups are. */
  generation: number;
  dispatches: readonly Dispatch[];
}

/** What is prepared is kept for so many sets of sizes, the latest ones. */
const keptSizes = 64;

/** A program in a store. */
export class StoredProgram implements WebgpuProgram, Resident {
  readonly name: string;
  readonly inputs: Ports;
  readonly outputs: Ports;
  readonly state: StateHandle;
  readonly artifact: Artifact;
  readonly #kernels: readonly KernelCode[];
  readonly #store: Store;
  readonly #progress: ((progress: LoadProgress) => void) | undefined;
  #pipelines: readonly GPUComputePipeline[] = [];
  #constants: ReadonlyMap<number, GPUBuffer> = new Map();
  #prepared = new Map<string, Prepared>();
  #closing: Promise<void> | undefined;

  constructor(
    artifact: Artifact,
    kernels: readonly KernelCode[],
    store: Store,
    progress: ((progress: LoadProgress) => void) | undefined,
  ) {
    this.name = artifact.name;
    this.inputs = artifact.inputs;
    this.outputs = artifact.outputs;
    this.state = store;
    this.artifact = artifact;
    this.#kernels = kernels;
    this.#store = store;
    this.#progress = progress;
  }

  async run(inputs: Given = {}): Promise<Record<string, TensorData>> {
    const { sizes, ready } = this.#check(inputs);
    const flight = await this.#store.turn(async () => {
      const { dispatches, transfers } = await ready();
      return this.#store.submit({
        who: `program '${this.name}'`,
        ...transfers,
        encode: (encoder) => {
          const pass = encoder.beginComputePass({ label: this.name });
          dispatches.forEach((d) => {
            dispatch(pass, d);
          });
          pass.end();
        },
      });
    });
    return this.#results(sizes, await flight.done);
  }

  async profile(
    inputs: Given = {},
  ): Promise<{ readonly outputs: Record<string, TensorData>; readonly steps: readonly StepTime[] }> {
    const { sizes, ready } = this.#check(inputs);
    return this.#store.turn(async () => {
      const { dispatches, transfers } = await ready();
      const { arrays, ms } = await timed(this.#store, `program '${this.name}'`, dispatches, transfers);
      const { steps, kernels } = this.artifact;
      return {
        outputs: this.#results(sizes, arrays),
        steps: steps.map(({ kernel }, step) => ({ step, kernel: kernels[kernel]!, ms: ms[step]! })),
      };
    });
  }

  memory(sizes: Sizes): { readonly state: number; readonly arena: number } {
    const { name, dims } = this.artifact;
    const all = { ...fixedSizes(dims), ...sizes };
    checkSizes(name, dims, all);
    const constants = [...this.#constants.values()].reduce((sum, { size }) => sum + size, 0);
    return { state: this.#store.bytesOf(this.artifact) + constants, arena: this.#place(all).bytes };
  }

  restore(device?: GPUDevice): Promise<void> {
    if (this.#closing) return Promise.reject(this.#closed());
    return this.#store.restore(device);
  }

  close(): void {
    void this[Symbol.asyncDispose]();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#store.evict(this);
    return this.#closing;
  }

  // ---- what the store asks for

  async settle(device: Device): Promise<void> {
    this.leave();
    let done = 0;
    const total = this.#kernels.length;
    const tell = (): void => this.#progress?.({ stage: 'compile', done, total });
    tell();
    const constants = new Map<number, GPUBuffer>();
    this.#constants = constants;
    const [pipelines] = await Promise.all([
      Promise.all(
        this.#kernels.map(async (kernel) => {
          const pipeline = await device.pipeline(kernel);
          done++;
          tell();
          return pipeline;
        }),
      ),
      device.checked(`program '${this.name}': its constants`, () => {
        this.artifact.buffers.forEach((b, i) => {
          if (b.role !== 'constant') return;
          const data = this.artifact.constants[b.name];
          if (!data) {
            throw new BackendError(
              `artifact '${this.name}' is incomplete: the constant '${b.name}' has no data; build it again`,
            );
          }
          const size = bufferBytes(b.dtype, data.length);
          checkBinding(device, size, () => `program '${this.name}': the constant '${b.name}'`);
          const buffer = device.gpu.createBuffer({
            label: b.name,
            size,
            usage: usage.storage | usage.copyFrom,
            mappedAtCreation: true,
          });
          constants.set(i, buffer);
          new Uint8Array(buffer.getMappedRange()).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
          buffer.unmap();
        });
      }),
    ]);
    this.#pipelines = pipelines;
  }

  leave(): void {
    for (const buffer of this.#constants.values()) buffer.destroy();
    for (const { sizes } of this.#prepared.values()) sizes.destroy();
    this.#constants = new Map();
    this.#prepared.clear();
    this.#pipelines = [];
  }

  // ---- a run

  /** Everything about the inputs is checked before the run gets its turn. */
  #check(given: Given) {
    if (this.#closing) throw this.#closed();
    const sizes = bindInputs(this.artifact, given);
    const ready = async () => {
      const prepared = await this.#prepare(sizes);
      const where = (buffer: number): Transfer => this.#where(prepared.placed, buffer);
      const transfers = {
        up: Object.entries(this.inputs)
          .map(([name, { buffer }]) => ({ data: given[name]!.data, ...where(buffer) }))
          .filter(({ data }) => data.length > 0),
        down: Object.values(this.outputs).map(({ buffer }) => where(buffer)),
      };
      return { dispatches: prepared.dispatches, transfers };
    };
    return { sizes, ready };
  }

  #results(sizes: Sizes, arrays: readonly ArrayBuffer[]): Record<string, TensorData> {
    return Object.fromEntries(
      Object.entries(this.outputs).map(([name, port], i): [string, TensorData] => {
        const shape = shapeSize(port.shape, sizes);
        const count = shape.reduce((a, b) => a * b, 1);
        return [name, { shape, data: dataView(port.dtype, arrays[i]!, 0, count) }];
      }),
    );
  }

  /** The range of a plan buffer. */
  #where(placed: Placed, i: number): Transfer {
    const b = this.artifact.buffers[i]!;
    const bytes = placed.sizes[i]!;
    const constant = this.#constants.get(i);
    if (constant) return { buffer: constant, offset: 0, bytes };
    if (b.role !== 'state') return { ...this.#store.on.arena.at(placed.offsets[i]!), bytes };
    const [name] = Object.entries(this.artifact.state).find(([, port]) => port.buffer === i)!;
    return { buffer: this.#store.buffer(name), offset: 0, bytes };
  }

  async #prepare(sizes: Sizes): Promise<Prepared> {
    const { device, arena } = this.#store.on;
    const key = keyOf(sizes, this.artifact.dims);
    const known = this.#prepared.get(key);
    if (known?.generation === arena.generation) return known;
    const placed = known?.placed ?? this.#place(sizes);
    const advice = this.#advice(sizes);
    placed.sizes.forEach((bytes, i) => {
      const { name, dtype } = this.artifact.buffers[i]!;
      checkBinding(device, bytes, () => `program '${this.name}': the tensor '${name}' (${dtype})${at(sizes)}`, advice);
    });
    await arena.reach(placed.bytes, `program '${this.name}'${at(sizes)}`, advice);
    const made = await device.checked(`program '${this.name}'`, (): Prepared => {
      const buffer = known?.sizes ?? this.#sizesBuffer(device, sizes);
      return {
        placed,
        sizes: buffer,
        generation: arena.generation,
        dispatches: this.#dispatches(device, placed, sizes, buffer),
      };
    });
    this.#prepared.delete(key);
    this.#prepared.set(key, made);
    const oldest = this.#prepared.keys().next().value;
    if (this.#prepared.size > keptSizes && oldest !== undefined) {
      this.#prepared.get(oldest)!.sizes.destroy();
      this.#prepared.delete(oldest);
    }
    return made;
  }

  /** The run-time sizes as kernels see them, after the bits of infinity and NaN, which WGSL cannot write. */
  #sizesBuffer(device: Device, sizes: Sizes): GPUBuffer {
    const words = [0x7f800000, 0x7fc00000, ...Object.keys(this.artifact.dims).map((d) => sizes[d]!)];
    const buffer = device.gpu.createBuffer({
      label: `sizes of ${this.name}`,
      size: Math.ceil(words.length / 4) * 16,
      usage: usage.uniform,
      mappedAtCreation: true,
    });
    new Uint32Array(buffer.getMappedRange()).set(words);
    buffer.unmap();
    return buffer;
  }

  #dispatches(device: Device, placed: Placed, sizes: Sizes, sizesBuffer: GPUBuffer): Dispatch[] {
    const { maxComputeWorkgroupsPerDimension: most } = device.gpu.limits;
    const groups = new Map<string, GPUBindGroup>();
    return this.artifact.steps.map(({ kernel, buffers }): Dispatch => {
      const { name, grid } = this.#kernels[kernel]!;
      const count = Math.max(0, evaluateSize(grid, sizes));
      const y = Math.ceil(count / most);
      if (y > most)
        throw new BackendError(
          `program '${this.name}'${at(sizes)}: kernel '${name}' wants ${count} workgroups, more than ${most} × ${most}; ${this.#advice(sizes)}`,
        );
      const key = buffers.join();
      let group = groups.get(key);
      if (!group) {
        group = device.gpu.createBindGroup({
          label: name,
          layout: device.layout(buffers.length).group,
          entries: [
            { binding: 0, resource: { buffer: sizesBuffer } },
            ...buffers.map((b, i) => {
              const { buffer, offset, bytes } = this.#where(placed, b);
              return { binding: i + 1, resource: { buffer, offset, size: bytes } };
            }),
          ],
        });
        groups.set(key, group);
      }
      return { pipeline: this.#pipelines[kernel]!, group, x: y === 0 ? 0 : Math.ceil(count / y), y };
    });
  }

  #place(sizes: Sizes): Placed {
    return placeInArena(this.artifact, sizes, this.#store.on.arena.page);
  }

  #advice(sizes: Sizes): string {
    const names = Object.keys(this.artifact.dims).filter((d) => sizes[d]! > 1);
    return names.length > 0 ? `make ${names.join(' or ')} smaller` : 'make the model smaller';
  }

  #closed(): BackendError {
    return new BackendError(`program '${this.name}' was closed; load it again`);
  }
}

/** Encodes a step. */
export function dispatch(pass: GPUComputePassEncoder, { pipeline, group, x, y }: Dispatch): void {
  if (y === 0) return;
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(x, y);
}

function at(sizes: Sizes): string {
  const list = Object.entries(sizes).map(([name, size]) => `${name}=${size}`);
  return list.length > 0 ? ` with ${list.join(', ')}` : '';
}

function keyOf(sizes: Sizes, dims: Artifact['dims']): string {
  return Object.keys(dims)
    .map((d) => sizes[d])
    .join();
}
