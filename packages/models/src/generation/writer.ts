/**
 * A model's compiled programs and caches on one backend. They are made when they are needed, grow by powers of two, and serve one text after the other;
 * several that write at a time take turns, and whoever finds the caches changed reads its text again.
 */
import { compile } from '@sinter/compiler';
import type { Backend, Cache, Program } from '@sinter/compiler';
import type { TensorData } from '@sinter/ir';
import type { ModelOutputs } from '../architecture.ts';
import type { ModelData } from '../compiled.ts';
import type { ModelConfig } from '../config.ts';
import { InputError } from '../errors.ts';
import { handOver } from '../hand-over.ts';
import type { PreTrainedModel } from '../model.ts';
import { jobOf } from './programs.ts';
import type { Kind, Sizes } from './programs.ts';

/** The options of {@link writerOf}. */
export interface WriterOptions {
  readonly backend: Backend;
  /** Where compiled programs are kept. */
  readonly cache?: Cache | undefined;
  /** How much the caches hold. Default: they grow. */
  readonly sizes?: Sizes | undefined;
}

/** See the head of this file. */
export interface Writer {
  /** The most tokens of a text, and of a source. */
  readonly most: { readonly length: number; readonly source: number };
  /** How much the caches hold, if they do not grow. */
  readonly sizes: Sizes | undefined;
  /** Does a task when those before it are done. */
  turn<T>(task: () => Promise<T>): Promise<T>;
  /** Has the caches hold so much at least, and the weights be those of the model. @throws InputError if the caches may not grow */
  prepare(wanted: Sizes): Promise<void>;
  /** Compiles what every text needs. */
  load(): Promise<void>;
  /** Runs a program. `reader` is whose texts lie in the caches afterwards. */
  run(kind: Kind, reader: object, inputs: ModelData): Promise<Record<string, TensorData>>;
  /** Whether the texts in the caches are still those of this reader. */
  holds(reader: object): boolean;
  /** Frees programs, weights and caches, once the runs under way are done. They are made again when they are needed. */
  free(): Promise<void>;
}

/** What sizes count. */
const counted: Readonly<Record<keyof Sizes, string>> = {
  batch: 'texts at a time (each beam is one)',
  length: 'tokens',
  source: 'tokens of a source',
};

/** Nothing smaller is worth its own programs. */
const least = 64;

/** Makes a writer for a model that writes. */
export function writerOf<C extends ModelConfig, O extends ModelOutputs>(
  model: PreTrainedModel<C, O>,
  { backend, cache, sizes: fixed }: WriterOptions,
): Writer {
  const { architecture, config } = model;
  const most = limitsOf(model);
  let sizes: Sizes | undefined;
  let programs = new Map<Kind, Program>();
  let written = new Map<string, object>();
  let owner: object | undefined;
  let last: Promise<unknown> = Promise.resolve();

  const close = async (): Promise<void> => {
    const old = programs;
    [programs, written, sizes, owner] = [new Map(), new Map(), undefined, undefined];
    for (const program of old.values()) await program[Symbol.asyncDispose]();
  };
  const program = async (kind: Kind): Promise<Program> => {
    const known = programs.get(kind);
    if (known) return known;
    const { graph, dims } = jobOf(architecture, config, kind, sizes!);
    const [first] = programs.values();
    const made = await compile(graph, backend, {
      dims,
      ...(cache && { cache }),
      ...(first && { state: first.state }),
    });
    programs.set(kind, made);
    await refresh();
    return made;
  };
  const refresh = async (): Promise<void> => {
    const state = [...programs.values()].at(-1)?.state;
    if (state && (await handOver(model, state, written))) owner = undefined;
  };

  return {
    most,
    sizes: fixed,
    turn(task) {
      const result = last.then(task);
      last = result.catch(() => undefined);
      return result;
    },
    async prepare(wanted) {
      const needed = fixed ?? grown(sizes, wanted, most);
      for (const [key, what] of Object.entries(counted) as [keyof Sizes, string][])
        if (wanted[key] > needed[key])
          throw new InputError(
            `generate: ${wanted[key]} ${what} are wanted, this generator was made for ${needed[key]}; make it with a larger ${key}`,
          );
      if (sizes && (needed.batch > sizes.batch || needed.length > sizes.length || needed.source > sizes.source))
        await close();
      sizes ??= needed;
      await refresh();
    },
    async load() {
      sizes ??= fixed ?? grown(undefined, { batch: 1, length: 1, source: 1 }, most);
      for (const kind of ['read', 'next'] as const) await program(kind);
    },
    async run(kind, reader, inputs) {
      const it = await program(kind);
      owner = undefined;
      const known = Object.entries(inputs).filter(([name]) => name in it.inputs);
      const outputs = await it.run(Object.fromEntries(known));
      owner = reader;
      return outputs;
    },
    holds: (reader) => owner === reader,
    free() {
      return this.turn(close);
    },
  };
}

/** The most tokens of a text and of a source. */
function limitsOf<C extends ModelConfig, O extends ModelOutputs>({
  architecture,
  inputs,
  dims,
}: PreTrainedModel<C, O>): Writer['most'] {
  const mostOf = (name: string): number => {
    const length = inputs[name]?.shape[1];
    return typeof length === 'number' ? length : (dims[length ?? ''] ?? Infinity);
  };
  if (!architecture.encode) return { length: mostOf('input_ids'), source: 0 };
  return { length: mostOf('decoder_input_ids'), source: mostOf('input_ids') };
}

/** Powers of two, so that few programs serve all. */
function grown(now: Sizes | undefined, wanted: Sizes, most: Writer['most']): Sizes {
  const step = (from: number, key: keyof Sizes, limit: number): number =>
    Math.min(Math.max(2 ** Math.ceil(Math.log2(Math.max(from, wanted[key], 1))), now?.[key] ?? 0), limit);
  return {
    batch: step(1, 'batch', Infinity),
    length: step(least, 'length', most.length),
    source: most.source === 0 ? 0 : step(least, 'source', most.source),
  };
}
