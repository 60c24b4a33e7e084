/** A work: numbers that go in, and one program per language that says what to compute with them. */
import type * as Jax from '@jax-js/jax';
import type * as Ir from '@sinter/ir';
import type * as Tfjs from '@tensorflow/tfjs';
import type { OnnxGraph, OnnxValue } from '../drive/onnx-writer.ts';
import { fill, type Data, type Values } from './values.ts';

/** Where a work runs: on threads of the processor, or on a WebGPU adapter, through Dawn in Node or in headless Chromium. */
export type Place = 'cpu' | 'webgpu' | 'webgpu in Chromium';

/** Looks a tensor of the work up by its name; throws when there is none. */
export type Lookup<T> = (name: string) => T;

/** The languages a program can be written in. Both onnxruntimes read `onnx`. */
export interface Programs {
  /** `updates` says what the state of a name holds after the run, for works that train. */
  readonly sinter: (
    ir: typeof Ir,
    t: Lookup<Ir.Tensor>,
  ) => { readonly output: Ir.Tensor; readonly updates?: Ir.Tensors };
  readonly tfjs: (tf: typeof Tfjs, t: Lookup<Tfjs.Tensor>) => Tfjs.Tensor;
  /** Traced once by `jit`. Arrays are consumed by their use, as jax-js wants it: each name may be looked up once. */
  readonly jax: (
    jax: typeof Jax,
    t: Lookup<Jax.Array>,
  ) => { readonly output: Jax.Array; readonly updates?: Readonly<Record<string, Jax.Array>> };
  readonly onnx: (graph: OnnxGraph, t: Lookup<OnnxValue>) => OnnxValue;
  /** A Python expression over `torch`, `F`, the work's tensors in `t`, and the functions of `engines/torch_engine.py`. */
  readonly torch: string;
  /** A model that writes: its configuration, and how many tokens it adds to `ids`. Read by libraries of models. */
  readonly writes: { readonly config: Readonly<Record<string, number>>; readonly tokens: number };
  /** The first mails of the corpus, which become vectors; of each the first tokens. Read by libraries of models. */
  readonly embeds: { readonly mails: number; readonly max_length: number };
}

/** One thing to measure, and how each engine is told to do it. */
export interface Work {
  readonly name: string;
  readonly place: Place;
  /** Floating-point operations of one run, for a column of GFLOP/s. */
  readonly flops?: number;
  /** Bytes that a run must read and write at least, for works that are held against the machine's limits: one kernel, or all weights. */
  readonly moves?: { readonly read: number; readonly written: number };
  /**
   * Arithmetic instructions of one lane that a run needs, where it is not `flops` that tells: exp and erf as the polynomials
   * that single precision needs (15 instructions each). A fused multiply-add is one.
   */
  readonly instructions?: number;
  /** Tokens that one run works on, for a column of tokens per second. */
  readonly tokens?: number;
  /** Weights: engines may keep, transpose or pack them before the clock starts. */
  readonly params: Readonly<Record<string, Values>>;
  /** Given anew in every run. */
  readonly inputs: Readonly<Record<string, Values>>;
  /** What the optimizer of a work that trains remembers; languages that bring their own optimizer leave it out. */
  readonly slots?: Readonly<Record<string, Values>>;
  /** A language that is missing cannot express the work. */
  readonly programs: Partial<Programs>;
}

/** The same work elsewhere, under a name that says where. */
export function on(place: Place, work: Work): Work {
  return { ...work, place, name: `${work.name}, ${place}` };
}

/** A tensor of a work with its seed; the seed is its place in the order of declaration: params, inputs, slots. */
export interface Named extends Values {
  readonly name: string;
  readonly seed: number;
  readonly role: 'param' | 'input' | 'slot';
}

/** Every tensor of a work, in the order of their seeds. */
export function tensorsOf(work: Work): readonly Named[] {
  const { params, inputs, slots = {} } = work;
  const roles = [
    ['param', params],
    ['input', inputs],
    ['slot', slots],
  ] as const;
  const entries = roles.flatMap(([role, tensors]) =>
    Object.entries(tensors).map(([name, v]) => ({ name, role, ...v })),
  );
  return entries.map((tensor, seed) => ({ seed, ...tensor }));
}

/** Where the numbers of a tensor come from. */
export type Source = (tensor: Named) => Data;

/** Works them out. */
export const seeded: Source = (tensor) => fill(tensor, tensor.seed);

/** Turns every tensor of a work into the engine's own kind, and returns the lookup of them. */
export function materialize<T>(work: Work, make: (tensor: Named, data: Data) => T, source = seeded): Lookup<T> {
  const made = new Map(tensorsOf(work).map((tensor) => [tensor.name, make(tensor, source(tensor))]));
  return lookupIn(made, work.name);
}

/** `map.get` that throws instead of returning `undefined`. */
export function lookupIn<T>(map: ReadonlyMap<string, T>, where: string): Lookup<T> {
  return (name) => {
    const found = map.get(name);
    if (found === undefined) throw new Error(`${where} has no tensor "${name}" (it has ${[...map.keys()].join(', ')})`);
    return found;
  };
}
