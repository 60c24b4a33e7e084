/** The compiled programs of a trainer. They share one state: training, evaluation and saving see the same weights. */
import { compile } from '@sinter/compiler';
import type { Backend, Cache, Program, StateHandle } from '@sinter/compiler';
import { dataFor, graphDims, shapeSize } from '@sinter/ir';
import type { Data, Graph } from '@sinter/ir';
import { TrainerError } from './errors.ts';
import type { TrainableModel } from './model.ts';
import type { StoredTensor } from './safetensors.ts';

/** Programs by name, and the state they share. */
export class Programs {
  readonly #backend: Backend;
  readonly #model: TrainableModel;
  readonly #cache: Cache | undefined;
  readonly #programs = new Map<string, Promise<Program>>();
  /** Which program's handle knows a tensor. */
  readonly #handles = new Map<string, StateHandle>();
  /** Programs are loaded one after the other, because each takes the state of those before it. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(backend: Backend, model: TrainableModel, cache?: Cache) {
    this.#backend = backend;
    this.#model = model;
    this.#cache = cache;
  }

  /** The program of a name; the first call compiles the graph and hands it the weights. */
  load(name: string, make: () => Graph): Promise<Program> {
    const known = this.#programs.get(name);
    if (known) return known;
    const loading = this.#queue.then(() => this.#compile(make()));
    this.#queue = loading.catch(() => this.#programs.delete(name));
    this.#programs.set(name, loading);
    return loading;
  }

  async #compile(graph: Graph): Promise<Program> {
    const program = await this.#build(graph, this.#cache);
    for (const name of Object.keys(program.state.ports)) {
      if (this.#handles.has(name)) continue;
      this.#handles.set(name, program.state);
      const weight = this.#model.parameters.get(name);
      if (weight) await program.state.write(name, weight.data);
    }
    return program;
  }

  async #build(graph: Graph, cache: Cache | undefined): Promise<Program> {
    const shared = this.#handles.values().next().value;
    const names = graphDims(graph);
    const dims = Object.fromEntries(
      Object.entries(this.#model.dims ?? {}).flatMap(([name, max]) => (names.includes(name) ? [[name, { max }]] : [])),
    );
    for (const name of Object.keys(graph.state)) {
      if (ours(name) || this.#model.parameters.has(name)) continue;
      throw new TrainerError(
        `the model reads the parameter '${name}', which its parameters lack; put its first value there`,
      );
    }
    return compile(graph, this.#backend, { dims, cache, ...(shared && { state: shared }) });
  }

  /** Compiles a graph for one use, on the state of the programs that are there. */
  async once<T>(graph: Graph, use: (program: Program) => Promise<T>): Promise<T> {
    const program = await this.#build(graph, undefined);
    return use(program).finally(() => program.close());
  }

  /** Takes the second number of a state `u32[2]` back. */
  async rewind(name: string, count: number): Promise<void> {
    const handle = this.#handles.get(name);
    if (!handle) return;
    const data = (await handle.read(name)) as Uint32Array;
    data[1]! -= count;
    await handle.write(name, data);
  }

  /** Writes one state, where there is a program that has it. */
  async write(name: string, data: Data): Promise<void> {
    await this.#handles.get(name)?.write(name, data);
  }

  /** Weights from the host to the programs. */
  async push(): Promise<void> {
    for (const [name, { data }] of this.#model.parameters) await this.write(name, data);
  }

  /** Weights from the programs to the host. */
  async pull(): Promise<void> {
    for (const [name, weight] of this.#model.parameters) {
      const handle = this.#handles.get(name);
      if (handle) weight.data = (await handle.read(name)) as Float32Array;
    }
  }

  /** Copies of everything but the weights that a later step depends on. Between steps nothing is accumulated. */
  async readOptimizer(): Promise<Record<string, StoredTensor>> {
    const tensors: Record<string, StoredTensor> = {};
    for (const [name, { handle, shape, dtype }] of this.#kept())
      if (!accumulated(name)) tensors[name] = { dtype, shape, data: await handle.read(name) } as StoredTensor;
    return tensors;
  }

  /** Puts back what {@link Programs.readOptimizer} gave; what `from` lacks becomes 0. */
  async writeOptimizer(from: Readonly<Record<string, Data>>): Promise<void> {
    for (const [name, { handle, shape, dtype }] of this.#kept()) {
      await handle.write(
        name,
        from[name] ??
          dataFor(
            dtype,
            shape.reduce((a, b) => a * b, 1),
          ),
      );
    }
  }

  /** The names of what {@link Programs.readOptimizer} gives. */
  optimizerNames(): string[] {
    return [...this.#kept().keys()].filter((name) => !accumulated(name));
  }

  #kept(): Map<
    string,
    { readonly handle: StateHandle; readonly shape: number[]; readonly dtype: StoredTensor['dtype'] }
  > {
    return new Map(
      [...this.#handles].flatMap(([name, handle]) => {
        if (!ours(name)) return [];
        const { shape, dtype } = handle.ports[name]!;
        return [[name, { handle, shape: shapeSize(shape, {}), dtype: dtype as StoredTensor['dtype'] }]];
      }),
    );
  }

  /** Frees everything. */
  async close(): Promise<void> {
    for (const program of this.#programs.values()) (await program.catch(() => undefined))?.close();
    this.#programs.clear();
    this.#handles.clear();
  }
}

/** Whether a state is the trainer's and not a weight of the model. */
function ours(name: string): boolean {
  return name === 'rng' || name.startsWith('optimizer.') || accumulated(name);
}

function accumulated(name: string): boolean {
  return name.startsWith('accumulated.');
}
