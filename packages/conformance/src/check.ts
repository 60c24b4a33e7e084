/** Compiles a graph with a backend, runs it, and holds the result against the evaluator. */
import type { Backend, CompileOptions, Program } from '@sinter/compiler';
import { BackendError, compile } from '@sinter/compiler';
import type { Data, Graph, Tensor, TensorData, Tensors } from '@sinter/ir';
import { dataFor, evaluate, printGraph, shapeSize } from '@sinter/ir';
import type { Tolerance } from './closeness.ts';
import { difference, largest } from './closeness.ts';

/** Tensors by name. */
export type Values = Readonly<Record<string, TensorData>>;

/** Thrown where a backend does not what it should. */
export class ConformanceError extends Error {
  override readonly name: string = 'ConformanceError';
}

/** Compiles, hands the program over, and closes it whatever happens. */
export async function withProgram<T>(
  g: Graph,
  backend: Backend,
  options: CompileOptions,
  use: (program: Program) => Promise<T>,
): Promise<T> {
  const program = await compile(g, backend, options);
  try {
    return await use(program);
  } finally {
    program.close();
    await program[Symbol.asyncDispose]();
  }
}

/** What to run a graph on. */
export interface CheckOptions {
  readonly inputs?: Values;
  /** What is not given is zero. */
  readonly state?: Values;
  readonly compile?: CompileOptions;
  /** For all results, or by name of output or state. */
  readonly tolerance?: Tolerance | ((name: string) => Tolerance);
  /** How often it is run, each time on the state that the last run left (1). */
  readonly runs?: number;
}

/** Runs a graph on a backend and fails where outputs or state differ from those of the evaluator. */
export async function checkGraph(g: Graph, backend: Backend, options: CheckOptions = {}): Promise<void> {
  await withProgram(g, backend, options.compile ?? {}, (program) => checkProgram(g, program, options));
}

/** Runs the program of a graph and fails where outputs or state differ from those of the evaluator. */
export async function checkProgram(g: Graph, program: Program, options: CheckOptions = {}): Promise<void> {
  const { inputs = {}, runs = 1, tolerance } = options;
  let state = completeState(g, options.state);
  for (const [name, { data }] of Object.entries(state)) await program.state.write(name, data);
  for (let run = 0; run < runs; run++) {
    const wanted = evaluate(g, inputs, state);
    const outputs = await program.run(inputs);
    const scale = scaleOf(g, inputs, state);
    compareAll(g, g.outputs, outputs, wanted.outputs, { scale, tolerance });
    state = { ...state, ...wanted.updates };
    compareAll(g, g.state, await readState(program, g), state, { scale, tolerance });
  }
}

/** All state of a program that belongs to a graph. */
export async function readState(program: Program, g: Graph): Promise<Record<string, TensorData>> {
  const out: Record<string, TensorData> = {};
  for (const [name, t] of Object.entries(g.state))
    out[name] = { data: await program.state.read(name), shape: shapeSize(t.shape, {}) };
  return out;
}

/** State with zeros where none is given. */
export function completeState(g: Graph, given: Values = {}): Record<string, TensorData> {
  return Object.fromEntries(
    Object.entries(g.state).map(([name, t]) => {
      const shape = shapeSize(t.shape, {});
      return [
        name,
        given[name] ?? {
          shape,
          data: dataFor(
            t.dtype,
            shape.reduce((a, b) => a * b, 1),
          ),
        },
      ];
    }),
  );
}

/** The largest number that goes into a graph. */
export function scaleOf(g: Graph, inputs: Values, state: Values): number {
  const of = (record: Tensors, values: Values): number[] =>
    Object.entries(record)
      .filter(([, t]) => t.dtype === 'f32')
      .map(([name]) => largest(values[name]!, 'f32'));
  return Math.max(0, ...of(g.inputs, inputs), ...of(g.state, state));
}

/** Fails, with the graph as text, where one of the results is not what it should be. */
export function compareAll(
  g: Graph,
  tensors: Tensors,
  found: Values,
  wanted: Values,
  options: { readonly scale?: number; readonly tolerance?: CheckOptions['tolerance']; readonly what?: string },
): void {
  const { scale = 0, tolerance = {}, what } = options;
  const wrong = Object.entries(tensors).flatMap(([name, t]: [string, Tensor]) => {
    const text = difference(
      { found: found[name], wanted: wanted[name]!, dtype: t.dtype, scale },
      typeof tolerance === 'function' ? tolerance(name) : tolerance,
    );
    return text === undefined ? [] : [`'${name}' (${t.op.name}) ${text}`];
  });
  if (wrong.length === 0) return;
  const text = printGraph(g);
  throw new ConformanceError(
    `${what ? `${what}: ` : ''}${wrong.join('\n')}\n${text.length > 4000 ? `${text.slice(0, 4000)}…` : text}`,
  );
}

/** Fails where two results are not the same bits. */
export function sameBits(what: string, found: Data, wanted: Data): void {
  const bytes = (d: Data): Uint8Array => new Uint8Array(d.buffer, d.byteOffset, d.byteLength);
  const [a, b] = [bytes(found), bytes(wanted)];
  const at = a.findIndex((v, i) => v !== b[i]);
  if (a.length !== b.length || at >= 0)
    throw new ConformanceError(`${what}: element ${Math.floor(at / found.BYTES_PER_ELEMENT)} is not the same bits`);
}

/** Fails where something does not hold. */
export function assert(holds: boolean, message: string): asserts holds {
  if (!holds) throw new ConformanceError(message);
}

/** Fails where `run` does not reject with an error of the given name (or one made from it) whose message has `text` in it. */
export async function rejects(what: string, run: () => Promise<unknown>, name: string, text: string): Promise<void> {
  let error: unknown;
  try {
    await run();
  } catch (caught) {
    error = caught;
  }
  assert(error instanceof Error, `${what}: nothing was thrown, wanted a ${name}`);
  const named = error.name === name || (name === 'BackendError' && error instanceof BackendError);
  assert(
    named && error.message.includes(text),
    `${what}: wanted a ${name} with '${text}', got ${error.name}: ${error.message}`,
  );
}
