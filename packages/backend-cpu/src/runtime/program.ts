/** A loaded program: it checks what it is given, places buffers for the sizes at hand, and runs when its turn comes. */
import type { Data, Sizes, TensorData } from '@sinter/ir';
import { dtypeBytes } from '@sinter/ir';
import type { Artifact, Port, Ports, Program, RunOptions, StateHandle, StepTime } from '@sinter/compiler/artifact';
import { BackendError, bindInputs, bindOutputs, checkSizes, evaluateSize, fixedSizes } from '@sinter/compiler/artifact';
import { aligned } from './heap.ts';
import { Layouts } from './placed.ts';
import type { Runner } from './prepared.ts';
import { runner } from './prepared.ts';
import type { Resident, Store } from './store.ts';

type Given = Readonly<Record<string, TensorData>>;
interface Profiled {
  readonly outputs: Record<string, TensorData>;
  readonly steps: readonly StepTime[];
}

/** A program on the threads of a store. */
export class CpuProgram implements Program {
  readonly name: string;
  readonly inputs: Ports;
  readonly outputs: Ports;
  readonly state: StateHandle;
  readonly #artifact: Artifact;
  readonly #store: Store;
  readonly #resident: Resident;
  readonly #layouts: Layouts;
  readonly #runner: Runner;
  #closing: Promise<void> | undefined;

  constructor(artifact: Artifact, store: Store, resident: Resident) {
    this.name = artifact.name;
    this.inputs = artifact.inputs;
    this.outputs = artifact.outputs;
    this.state = store;
    this.#artifact = artifact;
    this.#store = store;
    this.#resident = resident;
    this.#layouts = new Layouts(artifact);
    this.#runner = runner(artifact, store);
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
      .filter(({ role }) => role === 'state')
      .reduce((sum, { length, dtype }) => sum + aligned(evaluateSize(length, all) * dtypeBytes[dtype]), 0);
    return { state: state + this.#resident.bytes, arena: this.#layouts.at(all).bytes };
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
    const sizes = bindInputs(this.#artifact, given);
    const bound = bindOutputs(this.outputs, sizes, arrays);
    return this.#store.turn(async () => {
      const addresses = await this.#place(sizes);
      const { memory } = this.#store;
      const view = ({ dtype, buffer }: Port, length: number): Data => memory.view(dtype, addresses[buffer]!, length);
      for (const [name, port] of Object.entries(this.inputs)) {
        const { data } = given[name]!;
        view(port, data.length).set(data);
      }
      await this.#runner((first) => this.#compute(profile, first));
      const outputs = bound.map(({ name, port, shape, count, data }): [string, TensorData] => {
        const result = view(port, count);
        data?.set(result);
        return [name, { shape, data: data ?? result.slice() }];
      });
      const steps = profile ? (await report()).stepTimes(this.#artifact, this.#resident, memory) : [];
      return { outputs: Object.fromEntries(outputs), steps };
    });
  }

  /** The address of every buffer for the sizes at hand, which the header is told; memory is large enough then. */
  async #place(sizes: Sizes): Promise<readonly number[]> {
    const dims = Object.keys(this.#artifact.dims);
    const { memory } = this.#store;
    const { base, header, addresses } = this.#resident;
    const layout = this.#layouts.at(sizes);
    const arena = await memory.reach(layout.bytes, this.name, sizes);
    const placed = addresses.map((address, i) => (address < 0 ? arena + layout.offsets[i]! : address));
    memory.words(base + header.dims, dims.length).set(dims.map((d) => sizes[d]!));
    memory.words(base + header.addresses, placed.length).set(placed);
    return placed;
  }

  async #compute(profile: boolean, first: number): Promise<void> {
    const { base, header } = this.#resident;
    const { memory, threads } = this.#store;
    // All that threads write: the barrier, and what each step has done.
    const barrier = memory.words(base, header.dims / 4).fill(0);
    memory.words(base + header.counters, (threads * header.stride) / 4).fill(0);
    barrier[header.profile / 4] = Number(profile);
    barrier[header.prepared / 4] = first;
    await this.#store.compute(this.#resident, async (why) =>
      (await report()).failure(this.#artifact, this.#resident, memory, first, why),
    );
  }
}

/** Fetched where it is wanted. */
const report = () => import('./report.ts');
