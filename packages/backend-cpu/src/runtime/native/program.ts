/** A loaded native program: it checks what it is given, places buffers for the sizes at hand, and runs when its turn comes. */
import type { Data, Sizes, TensorData } from '@sinter/ir';
import { dataFor, dtypeBytes } from '@sinter/ir';
import type { Artifact, Ports, Program, RunOptions, StateHandle, StepTime } from '@sinter/compiler/artifact';
import { BackendError, bindInputs, bindOutputs, checkSizes, evaluateSize, fixedSizes } from '@sinter/compiler/artifact';
import { aligned } from '../heap.ts';
import { Layouts } from '../placed.ts';
import type { Runner } from '../prepared.ts';
import { runner } from '../prepared.ts';
import type { NativeStore, Resident } from './store.ts';

type Given = Readonly<Record<string, TensorData>>;
interface Profiled {
  readonly outputs: Record<string, TensorData>;
  readonly steps: readonly StepTime[];
}

/** A program on the threads of a store. */
export class NativeProgram implements Program {
  readonly name: string;
  readonly inputs: Ports;
  readonly outputs: Ports;
  readonly state: StateHandle;
  readonly #artifact: Artifact;
  readonly #store: NativeStore;
  readonly #resident: Resident;
  /** The steps as numbers: all of them, and those of every run. */
  readonly #steps: { readonly all: Int32Array; readonly later: Int32Array };
  readonly #layouts: Layouts;
  readonly #runner: Runner;
  #closing: Promise<void> | undefined;

  constructor(artifact: Artifact, store: NativeStore, resident: Resident) {
    this.name = artifact.name;
    this.inputs = artifact.inputs;
    this.outputs = artifact.outputs;
    this.state = store;
    this.#artifact = artifact;
    this.#store = store;
    this.#resident = resident;
    this.#layouts = new Layouts(artifact);
    this.#runner = runner(artifact, store);
    const numbers = (steps: Artifact['steps']): Int32Array =>
      Int32Array.from(steps.flatMap(({ kernel, buffers }) => [kernel, buffers.length, ...buffers]));
    this.#steps = { all: numbers(artifact.steps), later: numbers(artifact.steps.slice(artifact.prepare ?? 0)) };
  }

  async run(inputs: Given = {}, { outputs }: RunOptions = {}): Promise<Record<string, TensorData>> {
    return (await this.#run(inputs, false, outputs)).outputs;
  }

  async profile(inputs: Given = {}): Promise<Profiled> {
    return this.#run(inputs, true);
  }

  memory(sizes: Sizes): { readonly state: number; readonly arena: number } {
    const { name, dims, buffers } = this.#artifact;
    const all = { ...fixedSizes(dims), ...sizes };
    checkSizes(name, dims, all);
    const state = buffers
      .filter(({ role }) => role === 'state' || role === 'constant' || role === 'prepared')
      .reduce((sum, { length, dtype }) => sum + aligned(evaluateSize(length, all) * dtypeBytes[dtype]), 0);
    return { state, arena: this.#layouts.at(all).bytes };
  }

  close(): void {
    void this[Symbol.asyncDispose]();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#store.evict(this.#resident);
    return this.#closing;
  }

  async #run(given: Given, profile: boolean, arrays?: RunOptions['outputs']): Promise<Profiled> {
    if (this.#closing) throw new BackendError(`program '${this.name}' was closed; load it again`);
    const { dims, buffers, steps, kernels, prepare = 0 } = this.#artifact;
    const sizes = bindInputs(this.#artifact, given);
    const bound = bindOutputs(this.outputs, sizes, arrays);
    return this.#store.turn(async () => {
      const { library } = this.#resident;
      const addresses = this.#place(sizes);
      for (const [name, { buffer }] of Object.entries(this.inputs))
        addresses[buffer] = library.address(given[name]!.data);
      const results = bound.map((output) => ({
        ...output,
        data: output.data ?? dataFor(output.port.dtype, output.count),
      }));
      const inPlace = new Map<number, Data>();
      for (const { port, data } of results) {
        // What is also something else, a state, an input or another output, is copied.
        const shared = [...inPlace.values(), ...Object.values(given).map((input) => input.data)];
        if (buffers[port.buffer]!.role !== 'output' || inPlace.has(port.buffer)) continue;
        if (shared.some((other) => overlap(other, data))) continue;
        inPlace.set(port.buffer, data);
        addresses[port.buffer] = library.address(data);
      }
      let times = new Float64Array();
      await this.#runner((first) => {
        if (profile) times = new Float64Array(steps.length - first + 1);
        return library.run(
          this.#store.pool,
          first > 0 ? this.#steps.later : this.#steps.all,
          steps.length - first,
          BigUint64Array.from(addresses, BigInt),
          Int32Array.from(Object.keys(dims), (d) => sizes[d]!),
          profile ? times : undefined,
        );
      });
      for (const { port, data } of results)
        if (inPlace.get(port.buffer) !== data) library.get(data, addresses[port.buffer]!);
      const began = times.length - 1 - steps.length;
      const took = (step: number): number => times[began + step + 1]! - times[began + step]!;
      return {
        outputs: Object.fromEntries(results.map(({ name, shape, data }) => [name, { shape, data }])),
        steps: profile
          ? steps.map(({ kernel }, step) => ({ step, kernel: kernels[kernel]!, ms: took(step) })).slice(prepare)
          : [],
      };
    });
  }

  /** The address of every buffer for the sizes at hand. */
  #place(sizes: Sizes): number[] {
    const layout = this.#layouts.at(sizes);
    try {
      const arena = this.#store.arena(layout.bytes);
      return this.#resident.addresses.map((address, i) => (address < 0 ? arena + layout.offsets[i]! : address));
    } catch (error) {
      const names = Object.keys(this.#artifact.dims);
      const at = names.map((name) => `${name}=${sizes[name]}`).join(', ');
      throw new BackendError(
        `program '${this.name}'${at && ` with ${at}`} cannot run: ${(error as Error).message}; make ${names.join(' or ') || 'the model'} smaller, or close other programs`,
      );
    }
  }
}

function overlap(a: Data, b: Data): boolean {
  const [from, to] = [
    Math.max(a.byteOffset, b.byteOffset),
    Math.min(a.byteOffset + a.byteLength, b.byteOffset + b.byteLength),
  ];
  return a.buffer === b.buffer && from < to;
}
