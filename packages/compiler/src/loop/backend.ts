/**
 * The interpreter as a backend: slow, portable, and the smallest example of what a backend is. Its artifact holds the
 * kernels as JSON.
 */
import type { Data, DType, ScalarOp, TensorData } from '@sinter/ir';
import { arity, dataFor, dtypeBytes, shapeSize, showShape } from '@sinter/ir';
import { bindInputs, misfit, newState } from '../artifact/bind.ts';
import { codeOf } from '../artifact/code.ts';
import { BackendError } from '../artifact/errors.ts';
import type { Artifact, Port, Ports } from '../artifact/format.ts';
import { assignOffsets, evaluateSize, inArena } from '../artifact/offsets.ts';
import { keepPrepared, preparedFrom } from '../artifact/prepare.ts';
import { near } from '../artifact/near.ts';
import type { Program, StateHandle, StepTime } from '../artifact/program.ts';
import type { LoadOptions } from '../artifact/runtime.ts';
import { contractVersion } from '../artifact/runtime.ts';
import type { Backend } from '../backend.ts';
import type { Kernel, LoopExpr, Stmt } from './language.ts';
import type { PlanRunOptions, Prepared } from './run.ts';
import { planRunner } from './run.ts';
import { verifyPlan } from './verify.ts';
import { withExprs, withParts } from './walk.ts';
import type { Target } from '../target.ts';

const name = 'interpreter';

/**
 * The interpreter as a backend. `target` changes what plans are made for, so that the code meant for any machine can
 * be run here; `options` are those of the interpreter (`seed`, `arena`).
 *
 * By default the target is one CPU thread with four 32-bit lanes in 16 registers, which spells every scalar op.
 */
export function interpreter(target: Partial<Target> = {}, options: PlanRunOptions = {}): Backend {
  return {
    name,
    contract: contractVersion,
    target: {
      kind: 'cpu',
      spells: new Set(Object.keys(arity) as ScalarOp[]),
      vectorBytes: 16,
      registers: 16,
      cacheBytes: [32768, 1048576],
      threads: 1,
      sharedBytes: 16384,
      maxWorkgroup: 256,
      maxBindings: 64,
      features: new Set(),
      prepares: true,
      ...target,
    },
    async build(plan) {
      verifyPlan(plan);
      const { kernels, ...rest } = plan;
      return {
        format: 1,
        backend: name,
        ...rest,
        kernels: kernels.map((k) => k.name),
        code: { 'kernels.json': encodeKernels(kernels) },
      };
    },
    async load(artifact, load = {}) {
      return program(artifact, load, options);
    },
  };
}

// ---- kernels as JSON: every distinct expression once, in a table, because expressions share their parts

/** An expression whose parts, or a statement whose expressions, are positions in the table. */
type Packed = unknown;

function encodeKernels(kernels: readonly Kernel[]): Uint8Array {
  const table: Packed[] = [];
  const at = new Map<LoopExpr, number>();
  const pack = (x: LoopExpr): number => {
    const known = at.get(x);
    if (known !== undefined) return known;
    const packed = withParts(x, (part) => pack(part) as unknown as LoopExpr);
    at.set(x, table.length);
    return table.push(packed.k === 'const' ? { ...packed, value: safe(packed.value) } : packed) - 1;
  };
  const block = (stmts: readonly Stmt[]): Stmt[] =>
    stmts.map((s) => withExprs(s, (x) => pack(x) as unknown as LoopExpr, block));
  const packed = kernels.map((k) => ({
    ...k,
    body: block(k.body),
    cost: { flops: pack(k.cost.flops), bytes: pack(k.cost.bytes) },
  }));
  return new TextEncoder().encode(JSON.stringify({ table, kernels: packed }));
}

/** JSON has neither infinities nor NaN nor −0: these become text. */
function safe(value: number): number | string {
  return Number.isFinite(value) && !Object.is(value, -0) ? value : Object.is(value, -0) ? '-0' : String(value);
}

function decodeKernels(bytes: Uint8Array): Kernel[] {
  const { table, kernels } = JSON.parse(new TextDecoder().decode(bytes)) as { table: LoopExpr[]; kernels: Kernel[] };
  const exprs: LoopExpr[] = [];
  const unpack = (x: LoopExpr): LoopExpr => exprs[x as unknown as number]!;
  for (const x of table) exprs.push(x.k === 'const' ? { ...x, value: Number(x.value) } : withParts(x, unpack));
  const block = (stmts: readonly Stmt[]): Stmt[] => stmts.map((s) => withExprs(s, unpack, block));
  return kernels.map((k) => ({
    ...k,
    body: block(k.body),
    cost: { flops: unpack(k.cost.flops), bytes: unpack(k.cost.bytes) } as Kernel['cost'],
  }));
}

// ---- state

/** A state tensor, and how often it was changed. */
interface Held {
  readonly port: Port;
  data: Data;
  version: number;
}

/** The state tensors of one or more programs, and the queue in which these run. */
class State implements StateHandle {
  readonly tensors = new Map<string, Held>();
  users = 0;
  private last: Promise<unknown> = Promise.resolve();

  get ports(): Ports {
    return Object.fromEntries([...this.tensors].map(([key, t]) => [key, t.port]));
  }

  /** Runs `work` after everything that was asked for earlier. */
  queue<T>(work: () => T): Promise<T> {
    const result = this.last.then(work);
    this.last = result.catch(() => undefined);
    return result;
  }

  /** Adds the tensors that a program keeps; those that are there already must fit. */
  add(artifact: Artifact): void {
    for (const [key, port] of Object.entries(newState(artifact, this.ports))) {
      const count = (port.shape as readonly number[]).reduce((a, b) => a * b, 1);
      this.tensors.set(key, { port, data: dataFor(port.dtype, count), version: 0 });
    }
  }

  read(key: string): Promise<Data> {
    return this.queue(() => this.tensor(key).data.slice());
  }

  async write(key: string, data: Data, at?: number): Promise<void> {
    const copy = data.slice();
    return this.queue(() => {
      const held = this.tensor(key);
      const { port, data: whole } = held;
      const wrong = misfit(copy, port.dtype, whole.length, at);
      if (wrong !== undefined)
        throw new BackendError(`state '${key}' is ${port.dtype}${showShape(port.shape)}: ${wrong}`);
      whole.set(copy, at);
      held.version++;
    });
  }

  private tensor(key: string): Held {
    const found = this.tensors.get(key);
    if (!found)
      throw new BackendError(
        this.users === 0
          ? 'this state is gone: its last program was closed; read it before, or load a program again'
          : `there is no state '${key}'; near it: ${near(key, this.tensors.keys())}`,
      );
    return found;
  }
}

// ---- programs

const bytes = (dtype: DType, length: number): number => dtypeBytes[dtype] * length;

function program(artifact: Artifact, load: LoadOptions, options: PlanRunOptions): Program {
  const code = codeOf(artifact, name, ['kernels.json'])['kernels.json'];
  if (load.state && !(load.state instanceof State))
    throw new BackendError(`program '${artifact.name}': the shared state belongs to another backend`);
  const run = planRunner({ ...artifact, kernels: decodeKernels(code) }, options);
  const state = load.state ?? new State();
  state.add(artifact);
  state.users++;
  let open = true;
  const { buffers } = keepPrepared(artifact);
  const madeFrom = preparedFrom(artifact);
  let prepared: { readonly version: number; readonly buffers: Prepared } | undefined;
  /** It grows with every change of what is prepared from. */
  const version = (): number => madeFrom.reduce((sum, key) => sum + state.tensors.get(key)!.version, 0);

  const data = (from: Readonly<Record<string, { readonly data: Data }>>, ports: Ports): Record<string, Data> =>
    Object.fromEntries(Object.keys(ports).map((key) => [key, from[key]!.data]));
  const profile = async (
    given: Readonly<Record<string, TensorData>> = {},
  ): Promise<{ outputs: Record<string, TensorData>; steps: readonly StepTime[] }> => {
    const sizes = bindInputs(artifact, given);
    // Copied now: the caller may change them while the run waits in the queue.
    const inputs = Object.fromEntries(Object.entries(data(given, artifact.inputs)).map(([key, d]) => [key, d.slice()]));
    return state.queue(() => {
      if (!open) throw new BackendError(`program '${artifact.name}' is closed`);
      const result = run({
        inputs,
        state: data(Object.fromEntries(state.tensors), artifact.state),
        sizes,
        ...(prepared?.version === version() && { prepared: prepared.buffers }),
      });
      for (const key of artifact.updates ?? Object.keys(artifact.state)) {
        const held = state.tensors.get(key)!;
        held.data = result.state[key]!;
        held.version++;
      }
      prepared = { version: version(), buffers: result.prepared };
      const outputs = Object.fromEntries(
        Object.entries(artifact.outputs).map(([key, port]) => [
          key,
          { data: result.outputs[key]!, shape: shapeSize(port.shape, sizes) },
        ]),
      );
      return { outputs, steps: result.times };
    });
  };
  const close = (): void => {
    if (!open) return;
    open = false;
    if (--state.users === 0)
      void state.queue(() => {
        state.tensors.clear();
      });
  };
  return {
    name: artifact.name,
    inputs: artifact.inputs,
    outputs: artifact.outputs,
    state,
    profile,
    close,
    run: async (inputs) => (await profile(inputs)).outputs,
    memory: (sizes) => ({
      state: buffers.reduce((sum, b) => sum + (inArena(b) ? 0 : bytes(b.dtype, evaluateSize(b.length, sizes))), 0),
      arena: assignOffsets(buffers, sizes, inArena).bytes,
    }),
    [Symbol.asyncDispose]: async () => {
      close();
      await state.queue(() => undefined);
    },
  };
}
