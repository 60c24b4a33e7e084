/** Programs that look inside of a model: compiled once for each question, kept with the model, and run with the weights that it has now. */
import { compile } from '@sinter/compiler';
import type { Backend } from '@sinter/compiler';
import { diskCache } from '@sinter/compiler/cache';
import type { Data, Graph, TensorData } from '@sinter/ir';
import type { ModelOutputs } from '../architecture.ts';
import { checkInputs, compiledModel, withMissing } from '../compiled.ts';
import type { CompiledModel, ModelData } from '../compiled.ts';
import type { ModelConfig } from '../config.ts';
import { backendOr } from '../default-backend.ts';
import { handOver } from '../hand-over.ts';
import type { PreTrainedModel } from '../model.ts';

/** What a model keeps on one backend. The programs share the weights. */
interface Kept {
  /** By their question, the one that was asked last at the end. */
  readonly programs: Map<string, CompiledModel>;
  /** The weights as they were written. Whoever changes weights replaces their arrays, which tells them. */
  readonly written: Map<string, Data>;
  /** Runs wait for each other. */
  last: Promise<unknown>;
}

const kept = new WeakMap<object, Map<Backend, Kept>>();

/** How many programs a model keeps; what was not asked for longest goes first. */
const most = 16;

/** A run of a program of this model. */
export interface Question {
  /** Default: `defaultBackend()`, the processor. */
  readonly backend?: Backend | undefined;
  /** Programs of one key are one program. */
  readonly key: string;
  /** Makes the graph, whose states are the weights. */
  graph(): Graph;
  /** Which inputs may be left out is as the model has it. */
  readonly inputs: ModelData;
}

/** The outputs of a run. */
export async function ask<C extends ModelConfig, O extends ModelOutputs>(
  model: PreTrainedModel<C, O>,
  { backend: named, key, graph, inputs }: Question,
): Promise<Record<string, TensorData>> {
  const backend = await backendOr(named);
  const own = kept.get(model) ?? new Map<Backend, Kept>();
  kept.set(model, own);
  const here = own.get(backend) ?? { programs: new Map(), written: new Map(), last: Promise.resolve() };
  own.set(backend, here);
  const run = here.last.then(async () => {
    const program = here.programs.get(key) ?? (await compiled(model, backend, graph(), here));
    here.programs.delete(key);
    here.programs.set(key, program);
    await handOver(model, program.program.state, here.written);
    const [oldest] = here.programs.keys();
    if (here.programs.size > most) {
      here.programs.get(oldest!)!.close();
      here.programs.delete(oldest!);
    }
    checkInputs(model.inputs, model.dims, inputs);
    return program.program.run(pickInputs(program, withMissing(Object.keys(model.inputs), model.inputs, inputs)));
  });
  here.last = run.catch(() => undefined);
  return run;
}

/** What a program reads: where values were replaced, it may be less than a model is given. */
function pickInputs({ program }: CompiledModel, all: ModelData): ModelData {
  return Object.fromEntries(Object.entries(all).filter(([name]) => name in program.inputs));
}

/** Frees what is kept for a model, once the runs under way are done. */
export async function freeQuestions(model: object): Promise<void> {
  const own = kept.get(model);
  kept.delete(model);
  for (const { programs, last } of own?.values() ?? []) {
    await last;
    for (const program of programs.values()) program.close();
  }
}

async function compiled<C extends ModelConfig, O extends ModelOutputs>(
  model: PreTrainedModel<C, O>,
  backend: Backend,
  graph: Graph,
  { programs }: Kept,
): Promise<CompiledModel> {
  const [first] = programs.values();
  const program = await compile(graph, backend, {
    dims: Object.fromEntries(Object.entries(model.dims).map(([name, max]) => [name, { max }])),
    cache: diskCache(),
    ...(first && { state: first.program.state }),
  });
  return compiledModel(program, model.inputs, model.dims);
}
