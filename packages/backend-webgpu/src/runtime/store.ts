/**
 * What programs that share state have in common: a device, the state tensors, the arena, the rings, and a queue, since what is
 * submitted runs in that order. It lives as long as its last program.
 */
import type { Data } from '@sinter/ir';
import { dataView, dtypeBytes, showShape } from '@sinter/ir';
import type { Artifact, Port, Ports, StateHandle } from '@sinter/compiler/artifact';
import { BackendError, misfit, near, newState } from '@sinter/compiler/artifact';
import { Arena } from './arena.ts';
import { showBytes } from './bytes.ts';
import type { Device, DeviceSource } from './device.ts';
import { mapMode, usage } from './device.ts';
import { bufferBytes } from './layout.ts';
import type { Slot } from './ring.ts';
import { Ring } from './ring.ts';

/** A state tensor. */
interface Held {
  readonly port: Port;
  readonly count: number;
  readonly buffer: GPUBuffer;
  /** What was last written or read: what `restore` brings back. All zeros if there is none. */
  copy: Data | undefined;
}

/** A program as the store sees it. */
export interface Resident {
  readonly artifact: Artifact;
  /** Makes what the program keeps on a device, at first and after a loss. */
  settle(device: Device): Promise<void>;
  /** Frees it. */
  leave(): void;
}

/** Bytes on their way to the device or back. */
export interface Transfer {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly bytes: number;
}

/** One submission. */
export interface Work {
  /** Who is named in errors. */
  readonly who: string;
  readonly up: readonly (Transfer & { readonly data: Data })[];
  readonly down: readonly Transfer[];
  encode(encoder: GPUCommandEncoder): void;
}

/** The state that programs share, and all that they run on. */
export class Store implements StateHandle {
  readonly #source: DeviceSource;
  readonly #copies: boolean;
  readonly #tensors = new Map<string, Held>();
  readonly #residents = new Set<Resident>();
  /** What was submitted and is not done: it ends before buffers go. */
  readonly #flights = new Set<Promise<unknown>>();
  #on: { readonly device: Device; readonly arena: Arena; readonly up: Ring; readonly down: Ring } | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #ended = false;

  constructor(source: DeviceSource, copies: boolean) {
    this.#source = source;
    this.#copies = copies;
  }

  get ports(): Ports {
    return Object.fromEntries([...this.#tensors].map(([name, { port }]) => [name, port]));
  }

  async read(name: string): Promise<Data> {
    this.#find(name);
    const flight = await this.turn(async () => {
      const held = this.#find(name);
      const { port, count, buffer } = held;
      return this.#flight(
        this.#download(`state '${name}'`, buffer, 0, bufferBytes(port.dtype, count)).then((bytes) => {
          const data = dataOf(port, bytes, count);
          if (this.#copies) held.copy = data.slice();
          return data;
        }),
      );
    });
    return flight.done;
  }

  async write(name: string, data: Data, at?: number): Promise<void> {
    const { port, count } = this.#find(name);
    const wrong = misfit(data, port.dtype, count, at);
    if (wrong !== undefined)
      throw new BackendError(`state '${name}' is ${port.dtype}${showShape(port.shape)}: ${wrong}`);
    await this.turn(async () => {
      const held = this.#find(name);
      await this.#upload(`state '${name}'`, held, data, at ?? 0);
      if (!this.#copies) return;
      if (at === undefined) held.copy = data.slice();
      else (held.copy ??= dataOf(port, new ArrayBuffer(bufferBytes(port.dtype, count)), count)).set(data, at);
    });
  }

  /** Does `task` when all before it is done or submitted. */
  turn<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#last.then(task);
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** The device and what is on it; a `BackendError` once it was lost or the last program was closed. */
  get on(): { readonly device: Device; readonly arena: Arena; readonly up: Ring; readonly down: Ring } {
    if (!this.#on || this.#ended)
      throw new BackendError(
        'this state is gone: its last program was closed; read it before, or load a program again',
      );
    if (this.#on.device.lost !== undefined) throw this.#on.device.error('webgpu');
    return this.#on;
  }

  /** The buffer of a state tensor. */
  buffer(name: string): GPUBuffer {
    return this.#find(name).buffer;
  }

  /** Bytes of the state that a program uses. */
  bytesOf(artifact: Artifact): number {
    return Object.keys(artifact.state).reduce((sum, name) => sum + (this.#tensors.get(name)?.buffer.size ?? 0), 0);
  }

  /** Brings a program onto the device. Undoes everything if that fails. */
  admit(resident: Resident): Promise<void> {
    const { artifact } = resident;
    return this.turn(async () => {
      if (this.#ended) void this.on;
      const fresh = newState(artifact, this.ports);
      this.#on ??= this.#equip(await this.#source.acquire());
      const { device } = this.#on;
      try {
        await this.#allocate(device, artifact.name, fresh);
        await resident.settle(device);
        this.#residents.add(resident);
      } catch (error) {
        resident.leave();
        for (const name of Object.keys(fresh)) this.#drop(name);
        this.#endIfUnused();
        throw await device.failure(`program '${artifact.name}' cannot be loaded`, error);
      }
    });
  }

  /** Takes a program off the device; with the last one everything ends. */
  evict(resident: Resident): Promise<void> {
    return this.turn(async () => {
      await Promise.allSettled(this.#flights);
      resident.leave();
      this.#residents.delete(resident);
      this.#endIfUnused();
    });
  }

  /** Submits work; resolves when it is submitted. `done` resolves to the bytes that come back, in order. */
  async submit(work: Work): Promise<{ readonly done: Promise<ArrayBuffer[]> }> {
    const { device, up, down } = this.on;
    const upBytes = total(work.up);
    const downBytes = total(work.down);
    const from = upBytes > 0 ? await up.take(upBytes, work.who) : undefined;
    const to = downBytes > 0 ? await down.take(downBytes, work.who) : undefined;
    const check = device.watch();
    let thrown: unknown;
    try {
      const encoder = device.gpu.createCommandEncoder({ label: work.who });
      if (from) copyIn(encoder, from.buffer, work.up);
      work.encode(encoder);
      let at = 0;
      for (const { buffer, offset, bytes } of work.down) {
        encoder.copyBufferToBuffer(buffer, offset, to!.buffer, at, bytes);
        at += bytes;
      }
      device.gpu.queue.submit([encoder.finish()]);
    } catch (error) {
      thrown = error;
    }
    check.end();
    if (thrown !== undefined) {
      if (from) up.drop(from);
      if (to) down.drop(to);
      throw await device.failure(work.who, thrown);
    }
    const arrive = async (): Promise<ArrayBuffer[]> => {
      const [arrays] = await Promise.all([
        to ? this.#copyOut(down, to, work.down) : [],
        from && up.give(from),
        !from && !to && device.gpu.queue.onSubmittedWorkDone(),
      ]).catch(async (error: unknown) => {
        await check.passed(work.who);
        throw await device.failure(work.who, error);
      });
      await check.passed(work.who);
      return arrays;
    };
    return this.#flight(arrive());
  }

  /** The bytes that have come back, each transfer's in an array of its own. */
  async #copyOut(down: Ring, to: Slot, transfers: readonly Transfer[]): Promise<ArrayBuffer[]> {
    try {
      await to.buffer.mapAsync(mapMode.read, 0, total(transfers));
    } catch (error) {
      down.drop(to);
      throw error;
    }
    const memory = to.buffer.getMappedRange(0, total(transfers));
    let at = 0;
    const arrays = transfers.map(({ bytes }) => memory.slice((at += bytes) - bytes, at));
    to.buffer.unmap();
    await down.give(to);
    return arrays;
  }

  /** Goes on after a loss: a new device, the last copies of the state, every program made again. */
  restore(replacement?: GPUDevice): Promise<void> {
    return this.turn(async () => {
      if (!this.#on || this.#ended) void this.on;
      const lost = this.#on!.device;
      if (lost.lost === undefined && !replacement) return;
      await Promise.allSettled(this.#flights);
      const device = await this.#source.acquire(replacement);
      this.#source.release(lost);
      this.#on = this.#equip(device);
      const before = new Map(this.#tensors);
      const ports = this.ports;
      this.#tensors.clear();
      await this.#allocate(device, 'restore', ports);
      for (const [name, { copy }] of before) {
        const held = this.#find(name);
        held.copy = copy;
        if (copy) await this.#upload(`state '${name}'`, held, copy, 0);
      }
      for (const resident of this.#residents) await resident.settle(device);
    });
  }

  #equip(device: Device): NonNullable<typeof this.on> {
    return { device, arena: new Arena(device), up: new Ring(device, 'up'), down: new Ring(device, 'down') };
  }

  async #allocate(device: Device, program: string, ports: Ports): Promise<void> {
    for (const [name, port] of Object.entries(ports)) {
      const count = (port.shape as readonly number[]).reduce((a, b) => a * b, 1);
      const size = bufferBytes(port.dtype, count);
      const who = `program '${program}': state '${name}' of ${showBytes(size)}`;
      checkBinding(device, size, () => `program '${program}': state '${name}' ${port.dtype}${showShape(port.shape)}`);
      const buffer = await device.checked(who, () =>
        device.gpu.createBuffer({ label: name, size, usage: usage.storage | usage.copyFrom | usage.copyTo }),
      );
      this.#tensors.set(name, { port, count, buffer, copy: undefined });
    }
  }

  #drop(name: string): void {
    this.#tensors.get(name)?.buffer.destroy();
    this.#tensors.delete(name);
  }

  #endIfUnused(): void {
    if (this.#residents.size > 0) return;
    this.#ended = true;
    for (const name of [...this.#tensors.keys()]) this.#drop(name);
    const on = this.#on;
    this.#on = undefined;
    if (!on) return;
    on.up.close();
    on.down.close();
    on.arena.close();
    this.#source.release(on.device);
  }

  /** Remembers what is under way. */
  #flight<T>(done: Promise<T>): { readonly done: Promise<T> } {
    const flight = done.then(
      () => undefined,
      () => undefined,
    );
    this.#flights.add(flight);
    void flight.then(() => this.#flights.delete(flight));
    return { done };
  }

  /** A copy of bytes of a buffer, by way of a buffer of its own. */
  async #download(who: string, from: GPUBuffer, offset: number, bytes: number): Promise<ArrayBuffer> {
    const { device } = this.on;
    const check = device.watch();
    const to = device.gpu.createBuffer({ label: who, size: bytes, usage: usage.mapRead | usage.copyTo });
    const encoder = device.gpu.createCommandEncoder({ label: who });
    encoder.copyBufferToBuffer(from, offset, to, 0, bytes);
    device.gpu.queue.submit([encoder.finish()]);
    check.end();
    try {
      await to.mapAsync(mapMode.read);
      return to.getMappedRange().slice(0);
    } catch (error) {
      await check.passed(who);
      throw await device.failure(who, error);
    } finally {
      to.destroy();
    }
  }

  /** Writes elements; where they begin or end within a word, the rest of the word is read first. */
  async #upload(who: string, { port, count, buffer }: Held, data: Data, at: number): Promise<void> {
    const size = dtypeBytes[port.dtype];
    const [start, end] = [at * size, at * size + data.byteLength];
    const [first, last] = [start - (start % 4), Math.ceil(end / 4) * 4];
    if (first === last) return;
    let bytes: Uint8Array = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    if (first !== start || last !== end) {
      const whole = new Uint8Array(last - first);
      if (first !== start || end !== count * size) {
        whole.set(new Uint8Array(await this.#download(who, buffer, first, 4)));
        whole.set(new Uint8Array(await this.#download(who, buffer, last - 4, 4)), last - first - 4);
      }
      whole.set(bytes, start - first);
      bytes = whole;
    }
    const { device } = this.on;
    await device.checked(who, () => {
      device.gpu.queue.writeBuffer(buffer, first, bytes as Uint8Array<ArrayBuffer>);
    });
  }

  #find(name: string): Held {
    if (this.#ended) void this.on;
    const held = this.#tensors.get(name);
    if (!held) throw new BackendError(`there is no state '${name}'; near it: ${near(name, this.#tensors.keys())}`);
    return held;
  }
}

/** Fills a mapped buffer with inputs, and copies them from there to where they belong. */
function copyIn(encoder: GPUCommandEncoder, from: GPUBuffer, transfers: Work['up']): void {
  const memory = from.getMappedRange();
  let at = 0;
  for (const { data, buffer, offset, bytes } of transfers) {
    new Uint8Array(memory, at, data.byteLength).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    encoder.copyBufferToBuffer(from, at, buffer, offset, bytes);
    at += bytes;
  }
  from.unmap();
}

const total = (transfers: readonly Transfer[]): number => transfers.reduce((sum, { bytes }) => sum + bytes, 0);

function dataOf({ dtype }: Port, bytes: ArrayBuffer, count: number): Data {
  return dataView(dtype, bytes, 0, count);
}

/** Refuses a tensor that kernels cannot reach as a whole. */
export function checkBinding(device: Device, bytes: number, what: () => string, advice = 'split the tensor'): void {
  const { maxStorageBufferBindingSize: binding, maxBufferSize: buffer } = device.gpu.limits;
  const limit = Math.min(binding, buffer);
  if (bytes <= limit) return;
  const which = binding <= buffer ? 'maxStorageBufferBindingSize' : 'maxBufferSize';
  throw new BackendError(
    `${what()} takes ${showBytes(bytes)}, but kernels on this device reach ${showBytes(limit)} of one tensor (${which}); ${advice}`,
  );
}
