/**
 * What programs that share state have in common: a device, the state tensors, the arena, the rings, and a queue, since what is
 * submitted runs in that order. It lives as long as its last program.
 */
import type { Data } from '@sinter/ir';
import { dataView, dtypeBytes, showShape } from '@sinter/ir';
import type { Artifact, Port, Ports, StateHandle } from '@sinter/compiler/artifact';
import { BackendError, misfit, near, newState } from '@sinter/compiler/artifact';
import type { Arena } from './arena.ts';
import { makeArena } from './arena.ts';
import type { Device, DeviceSource } from './device.ts';
import { mapRead, put, showBytes, tensorUsage } from './device.ts';
import { bufferBytes } from './layout.ts';
import type { Ring } from './ring.ts';
import { makeRing } from './ring.ts';

/** State is written and read in pieces of so many bytes, so that the rings stay small. */
const pieceBytes = 1 << 24;

/** A state tensor. */
interface Held {
  readonly port: Port;
  readonly count: number;
  readonly buffer: GPUBuffer;
  /** What was last written or read: what `restore` brings back. All zeros if there is none. */
  copy?: Data;
}

/** A program as the store sees it. */
export interface Resident {
  readonly artifact: Artifact;
  /** Makes what the program keeps on a device, at first and after a loss. */
  settle(device: Device): Promise<void>;
  /** Frees it. */
  leave(): void;
}

/** A range of a buffer, whose bytes are on their way to the device or back. */
export interface Transfer {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

/** One submission. */
export interface Work {
  /** Who is named in errors. */
  readonly who: string;
  readonly up?: readonly (Transfer & { readonly data: ArrayBufferView })[];
  readonly down?: readonly Transfer[];
  /** What is done between the two. */
  encode?(encoder: GPUCommandEncoder): void;
}

/** What was submitted: the bytes that will come back, in order. In an object, since a turn must not wait for them. */
export interface Flight {
  readonly done: Promise<ArrayBuffer[]>;
}

/** A device, and what a store has on it. */
interface Ground {
  readonly device: Device;
  readonly arena: Arena;
  readonly up: Ring;
  readonly down: Ring;
}

/** The state that programs share, and all that they run on. */
export interface Store extends StateHandle {
  /** The device and what is on it; a `BackendError` once it was lost or the last program was closed. */
  readonly on: Ground;
  /** The buffer of a state tensor. */
  buffer(name: string): GPUBuffer;
  /** Does `task` when all before it is done or submitted. */
  turn<T>(task: () => Promise<T>): Promise<T>;
  /** Submits work; resolves when it is submitted. To be called in a turn. */
  submit(work: Work): Promise<Flight>;
  /** Brings a program onto the device. Undoes everything if that fails. */
  admit(resident: Resident): Promise<void>;
  /** Takes a program off the device; with the last one everything ends. */
  evict(resident: Resident): Promise<void>;
  /** Goes on after a loss: a new device, the last copies of the state, every program made again. */
  restore(replacement?: GPUDevice): Promise<void>;
}

const stores = new WeakSet<StateHandle>();

/** Whether a state is one of ours. */
export function isStore(state: StateHandle): state is Store {
  return stores.has(state);
}

/** A store without programs. `copies`: whether state that is written or read is kept on the host too. */
export function makeStore(source: DeviceSource, copies: boolean): Store {
  const tensors = new Map<string, Held>();
  const residents = new Set<Resident>();
  /** What was submitted and is not done: it ends before buffers go. */
  const flights = new Set<Promise<unknown>>();
  let ground: Ground | undefined;
  let last: Promise<unknown> = Promise.resolve();
  let ended = false;

  const held = (): Ground => {
    if (ground && !ended) return ground;
    throw new BackendError('this state is gone: its last program was closed');
  };
  const find = (name: string): Held => {
    held();
    const found = tensors.get(name);
    if (found) return found;
    throw new BackendError(`there is no state '${name}'; near it: ${near(name, tensors.keys())}`);
  };

  const allocate = async (program: string, ports: Ports): Promise<void> => {
    const { device } = store.on;
    for (const [name, port] of Object.entries(ports)) {
      const count = (port.shape as readonly number[]).reduce((a, b) => a * b, 1);
      const size = bufferBytes(port.dtype, count);
      const who = `program '${program}': ${describe(name, port)}`;
      checkBinding(device, size, who, 'split it');
      const buffer = await device.checked(who, () => device.buffer(name, size, tensorUsage));
      tensors.set(name, { port, count, buffer });
    }
  };
  const drop = (name: string): void => {
    tensors.get(name)?.buffer.destroy();
    tensors.delete(name);
  };
  const endIfUnused = (): void => {
    if (residents.size > 0) return;
    ended = true;
    for (const name of [...tensors.keys()]) drop(name);
    const { device, arena, up, down } = ground!;
    for (const part of [arena, up, down]) part.close();
    source.release(device);
  };
  const settleOn = (device: Device): void => {
    ground = { device, arena: makeArena(device), up: makeRing(device, true), down: makeRing(device, false) };
  };

  const inPieces = async (bytes: number, submit: (at: number, bytes: number) => Promise<Flight>): Promise<Flight[]> => {
    const out: Flight[] = [];
    for (let at = 0; at < bytes; at += pieceBytes) out.push(await submit(at, Math.min(pieceBytes, bytes - at)));
    return out;
  };
  /** Submits elements, from element `at` on. */
  const upload = async (who: string, { port, count, buffer }: Held, data: Data, at: number): Promise<Flight[]> => {
    const size = dtypeBytes[port.dtype];
    let start = at * size;
    let bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
    // The last word of a tensor is its own, whatever is in the rest of it.
    if (start % 4 || (bytes.length % 4 && at + data.length < count)) {
      const { wholeWords } = await import('./words.ts');
      const read = async (down: Transfer[]): Promise<ArrayBuffer[]> => (await store.submit({ who, down })).done;
      ({ start, bytes } = await wholeWords(bytes, start, buffer, read));
    }
    return inPieces(Math.ceil(bytes.length / 4) * 4, (offset, length) =>
      store.submit({
        who,
        up: [{ data: bytes.subarray(offset, offset + length), buffer, offset: start + offset, size: length }],
      }),
    );
  };

  const store: Store = {
    get ports() {
      return Object.fromEntries([...tensors].map(([name, { port }]) => [name, port]));
    },
    get on() {
      const { device } = held();
      if (device.lost) throw device.error('webgpu');
      return ground!;
    },
    buffer: (name) => find(name).buffer,

    async read(name) {
      const tensor = find(name);
      const { port, count } = tensor;
      const pieces = await store.turn(async () => {
        const { buffer } = find(name);
        return inPieces(bufferBytes(port.dtype, count), (offset, size) =>
          store.submit({ who: describe(name, port), down: [{ buffer, offset, size }] }),
        );
      });
      const data = zeros(port, count);
      let at = 0;
      for (const { done } of pieces) {
        const [piece] = await done;
        put(data.buffer as ArrayBuffer, at, new Uint8Array(piece!));
        at += piece!.byteLength;
      }
      if (copies) tensor.copy = data.slice();
      return data;
    },
    async write(name, data, at) {
      const { port, count } = find(name);
      const who = describe(name, port);
      const wrong = misfit(data, port.dtype, count, at);
      if (wrong !== undefined) throw new BackendError(`${who}: ${wrong}`);
      const submitted = await store.turn(async () => {
        const tensor = find(name);
        if (copies) (tensor.copy ??= zeros(port, count)).set(data, at);
        return upload(who, tensor, data, at ?? 0);
      });
      await Promise.all(submitted.map(({ done }) => done));
    },

    turn(task) {
      const result = last.then(task);
      last = result.catch(() => undefined);
      return result;
    },
    admit: (resident) =>
      store.turn(async () => {
        if (ended) held();
        const { name } = resident.artifact;
        const fresh = newState(resident.artifact, store.ports);
        if (!ground) settleOn(await source.acquire());
        const { device } = store.on;
        try {
          await allocate(name, fresh);
          await resident.settle(device);
          residents.add(resident);
        } catch (error) {
          resident.leave();
          for (const key of Object.keys(fresh)) drop(key);
          endIfUnused();
          throw await device.failure(`program '${name}' cannot be loaded`, error);
        }
      }),
    evict: (resident) =>
      store.turn(async () => {
        await Promise.allSettled(flights);
        resident.leave();
        residents.delete(resident);
        endIfUnused();
      }),

    async submit({ who, up = [], down = [], encode }) {
      const { device, up: rising, down: falling } = store.on;
      const [upBytes, downBytes] = [total(up), total(down)];
      const from = upBytes > 0 ? await rising.take(upBytes, who) : undefined;
      const to = downBytes > 0 ? await falling.take(downBytes, who) : undefined;
      const { passed } = device.guard(who, () => {
        const encoder = device.gpu.createCommandEncoder({ label: who });
        const memory = from?.getMappedRange();
        let at = 0;
        for (const { data, buffer, offset, size } of up) {
          put(memory!, at, data);
          encoder.copyBufferToBuffer(from!, at, buffer, offset, size);
          at += size;
        }
        from?.unmap();
        encode?.(encoder);
        at = 0;
        for (const { buffer, offset, size } of down) {
          encoder.copyBufferToBuffer(buffer, offset, to!, at, size);
          at += size;
        }
        device.gpu.queue.submit([encoder.finish()]);
      });
      let arrays: ArrayBuffer[] = [];
      const fetched = to?.mapAsync(mapRead, 0, downBytes).then(() => {
        const memory = to.getMappedRange(0, downBytes);
        let at = 0;
        arrays = down.map(({ size }) => memory.slice(at, (at += size)));
        to.unmap();
      });
      const done = Promise.all([
        from && rising.give(from, passed),
        to && falling.give(to, fetched!),
        from ?? to ?? device.gpu.queue.onSubmittedWorkDone(),
      ]).then(
        () => passed.then(() => arrays),
        async (error: unknown) => {
          await passed;
          throw await device.failure(who, error);
        },
      );
      const flight = done.then(noop, noop);
      flights.add(flight);
      void flight.then(() => flights.delete(flight));
      return { done };
    },

    restore: (replacement) =>
      store.turn(async () => {
        const { device: lost } = held();
        if (!lost.lost && !replacement) return;
        await Promise.allSettled(flights);
        settleOn(await source.acquire(replacement));
        source.release(lost);
        const before = [...tensors];
        await allocate('restore', store.ports);
        for (const [name, { copy }] of before) {
          if (!copy) continue;
          const tensor = find(name);
          tensor.copy = copy;
          await upload(name, tensor, copy, 0);
        }
        for (const resident of residents) await resident.settle(store.on.device);
      }),
  };
  stores.add(store);
  return store;
}

const noop = (): void => undefined;
const total = (transfers: readonly Transfer[]): number => transfers.reduce((sum, { size }) => sum + size, 0);
const describe = (name: string, { dtype, shape }: Port): string => `state '${name}' is ${dtype}${showShape(shape)}`;

/** Zeros for a tensor, in whole words. */
function zeros({ dtype }: Port, count: number): Data {
  return dataView(dtype, new ArrayBuffer(bufferBytes(dtype, count)), 0, count);
}

/** Refuses a tensor that kernels cannot reach as a whole. */
export function checkBinding({ gpu }: Device, bytes: number, what: string, advice: string): void {
  const { maxStorageBufferBindingSize, maxBufferSize } = gpu.limits;
  const limit = Math.min(maxStorageBufferBindingSize, maxBufferSize);
  if (bytes > limit)
    throw new BackendError(
      `${what}: ${showBytes(bytes)}, but kernels here reach ${showBytes(limit)} of a tensor (maxStorageBufferBindingSize); ${advice}`,
    );
}
