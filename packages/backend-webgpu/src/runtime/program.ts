/** A loaded program: it checks what it is given, places buffers for the sizes at hand, and submits a run as one command buffer. */
import type { Sizes, TensorData } from '@sinter/ir';
import { dataView, shapeSize } from '@sinter/ir';
import type { Artifact, LoadOptions, Program } from '@sinter/compiler/artifact';
import { BackendError, bindInputs, checkSizes, evaluateSize, fixedSizes } from '@sinter/compiler/artifact';
import { unpackCode } from './code.ts';
import { tensorUsage, uniformUsage } from './device.ts';
import type { Placed } from './layout.ts';
import { bufferBytes, placeInArena } from './layout.ts';
import type { Flight, Resident, Store, Transfer, Work } from './store.ts';
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
  /** The pages that the bind groups are for. */
  readonly pages: readonly GPUBuffer[];
  readonly dispatches: readonly Dispatch[];
}

/** Workgroups along one dimension, on every device. */
const maxGroups = 65535;
/** What is prepared is kept for so many sets of sizes, the latest ones. */
const keptSizes = 64;

/** Loads an artifact into a store. */
export async function openProgram(
  artifact: Artifact,
  store: Store,
  onProgress: LoadOptions['onProgress'],
): Promise<WebgpuProgram> {
  const { name, inputs, outputs, dims, buffers, steps } = artifact;
  const kernels = unpackCode(artifact);
  const stateNames = new Map(Object.entries(artifact.state).map(([key, { buffer }]) => [buffer, key]));
  const constants = new Map<number, GPUBuffer>();
  const prepared = new Map<string, Prepared>();
  let pipelines: readonly GPUComputePipeline[] = [];
  let closing: Promise<void> | undefined;

  const resident: Resident = {
    artifact,
    async settle(device) {
      resident.leave();
      let done = 0;
      const tell = (): void => onProgress?.({ stage: 'compile', done, total: kernels.length });
      tell();
      const compiled = kernels.map(async (kernel) => {
        const pipeline = await device.pipeline(kernel);
        done++;
        tell();
        return pipeline;
      });
      const placed = device.checked(`program '${name}': its constants`, () => {
        buffers.forEach((b, i) => {
          if (b.role !== 'constant') return;
          const data = artifact.constants[b.name];
          if (!data) throw new BackendError(`'${name}' is incomplete: the constant '${b.name}' has no data`);
          const size = bufferBytes(b.dtype, data.length);
          checkBinding(device, size, `program '${name}': the constant '${b.name}'`, 'split it');
          constants.set(i, device.buffer(b.name, size, tensorUsage, data));
        });
      });
      [pipelines] = await Promise.all([Promise.all(compiled), placed]);
    },
    leave() {
      for (const buffer of constants.values()) buffer.destroy();
      for (const { sizes } of prepared.values()) sizes.destroy();
      constants.clear();
      prepared.clear();
    },
  };

  /** Names the program, and the sizes of a run. */
  const title = (sizes: Sizes): string => {
    const list = Object.keys(dims).map((dim) => `${dim}=${sizes[dim]}`);
    return `program '${name}'${list.length > 0 ? ` with ${list.join(', ')}` : ''}`;
  };
  const place = (sizes: Sizes): Placed => placeInArena(artifact, sizes, store.on.arena.page);

  /** The range of a plan buffer. */
  const range = (placed: Placed, i: number): Transfer => {
    const size = placed.sizes[i]!;
    const key = stateNames.get(i);
    const own = key === undefined ? constants.get(i) : store.buffer(key);
    if (own) return { buffer: own, offset: 0, size };
    const { page, pages } = store.on.arena;
    const at = placed.offsets[i]!;
    return { buffer: pages()[Math.floor(at / page)]!, offset: at % page, size };
  };

  const prepare = async (sizes: Sizes): Promise<Prepared> => {
    const { device, arena } = store.on;
    const who = title(sizes);
    const known = prepared.get(who);
    if (known?.pages === arena.pages()) return known;
    const placed = known?.placed ?? place(sizes);
    const advice = `make ${Object.keys(sizes).join(' or ') || 'the model'} smaller`;
    placed.sizes.forEach((bytes, i) => {
      checkBinding(device, bytes, `${who}: the tensor '${buffers[i]!.name}' is ${buffers[i]!.dtype}`, advice);
    });
    await arena.reach(placed.bytes, who);
    const made = await device.checked(who, (): Prepared => {
      // The bits of infinity and NaN, which WGSL cannot write, and the run-time sizes.
      const words = Uint32Array.of(0x7f800000, 0x7fc00000, ...Object.keys(dims).map((dim) => sizes[dim]!));
      const uniform = known?.sizes ?? device.buffer('sizes', Math.ceil(words.length / 4) * 16, uniformUsage, words);
      const dispatches = steps.map(({ kernel, buffers: step }): Dispatch => {
        const count = Math.max(0, evaluateSize(kernels[kernel]!.grid, sizes));
        // Along y where x alone has no room for them, evenly: the kernel counts on.
        const y = Math.ceil(count / maxGroups);
        const group = device.gpu.createBindGroup({
          layout: device.layout(step.length),
          entries: [{ buffer: uniform }, ...step.map((b) => range(placed, b))].map((resource, binding) => ({
            binding,
            resource,
          })),
        });
        return { pipeline: pipelines[kernel]!, group, x: y && Math.ceil(count / y), y };
      });
      return { placed, sizes: uniform, pages: arena.pages(), dispatches };
    });
    prepared.delete(who);
    prepared.set(who, made);
    if (prepared.size > keptSizes) prepared.delete(prepared.keys().next().value!);
    return made;
  };

  /** Checks inputs before the run gets its turn; then `go` runs what is prepared, and the bytes of the outputs become tensors. */
  const run = async (
    given: Given,
    go: (work: Work, dispatches: readonly Dispatch[]) => Promise<Flight>,
  ): Promise<Record<string, TensorData>> => {
    if (closing) throw new BackendError(`program '${name}' was closed; load it again`);
    const sizes = bindInputs(artifact, given);
    const { done } = await store.turn(async () => {
      const { placed, dispatches } = await prepare(sizes);
      const up = Object.entries(inputs).map(([key, { buffer }]) => ({
        data: given[key]!.data,
        ...range(placed, buffer),
      }));
      const down = Object.values(outputs).map(({ buffer }) => range(placed, buffer));
      return go({ who: title(sizes), up, down }, dispatches);
    });
    const arrays = await done;
    return Object.fromEntries(
      Object.entries(outputs).map(([key, port], i) => {
        const shape = shapeSize(port.shape, sizes);
        const count = shape.reduce((a, b) => a * b, 1);
        return [key, { shape, data: dataView(port.dtype, arrays[i]!, 0, count) }];
      }),
    );
  };

  const end = (): Promise<void> => (closing ??= store.evict(resident));

  await store.admit(resident);
  return {
    name,
    inputs,
    outputs,
    state: store,
    run: (given = {}) =>
      run(given, (work, dispatches) =>
        store.submit({
          ...work,
          encode(encoder) {
            const pass = encoder.beginComputePass();
            for (const step of dispatches) dispatch(pass, step);
            pass.end();
          },
        }),
      ),
    async profile(given = {}) {
      const { timed } = await import('./profile.ts');
      let ms: readonly number[] = [];
      const results = await run(given, async (work, dispatches) => {
        const { arrays, times } = await timed(store, work, dispatches, dispatch);
        ms = times;
        return { done: Promise.resolve(arrays) };
      });
      return {
        outputs: results,
        steps: steps.map(({ kernel }, step) => ({ step, kernel: kernels[kernel]!.name, ms: ms[step]! })),
      };
    },
    memory(sizes) {
      const all = { ...fixedSizes(dims), ...sizes };
      checkSizes(name, dims, all);
      const kept = [...[...stateNames.values()].map((key) => store.buffer(key)), ...constants.values()];
      return { state: kept.reduce((sum, { size }) => sum + size, 0), arena: place(all).bytes };
    },
    restore: async (device) => store.restore(device),
    close: () => void end(),
    [Symbol.asyncDispose]: end,
  };
}

/** Encodes a step. */
function dispatch(pass: GPUComputePassEncoder, { pipeline, group, x, y }: Dispatch): void {
  if (y === 0) return;
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(x, y);
}
