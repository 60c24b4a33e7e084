/** What a legal kernel and a legal plan are: rules that are checked between stages and before anything runs. */
import type { DType, OpExpr } from '@sinter/ir';
import { arity, dtypeBytes, isFloat } from '@sinter/ir';
import { BackendError } from '../artifact/errors.ts';
import { keepPrepared, preparedFrom } from '../artifact/prepare.ts';
import type { AllocStmt, ForStmt, Kernel, KernelBuffer, LoadExpr, LoopExpr, Stmt } from './language.ts';
import { exprsOf } from './language.ts';
import { printStmt } from './print.ts';
import { isForWorkgroups, verifyWorkgroups } from './verify-workgroups.ts';
import { eachExpr, eachStmt } from './walk.ts';
import type { Plan } from '../plan.ts';

/** Options of {@link verifyKernel}. */
export interface VerifyOptions {
  /** Bytes of the target's vector registers: with them, the alignment of vectors inside `register` storage is checked too. */
  readonly vectorBytes?: number;
}

/** What a name stands for where a statement can see it. */
type Meaning =
  | { readonly k: 'dim' | 'buffer'; readonly dtype: DType; readonly buffer?: KernelBuffer }
  | ForStmt
  | AllocStmt
  | Extract<Stmt, { k: 'let' }>;

function opFault(x: OpExpr<LoadExpr>): string | undefined {
  if (x.args.length !== arity[x.op]) return `${x.op} takes ${arity[x.op]} operands, not ${x.args.length}`;
  const types = x.args.map((a) => a.dtype);
  const [a, b, c] = types as [DType, DType, DType];
  const same = types.every((t) => t === a);
  switch (x.op) {
    case 'cast':
      return undefined;
    case 'bitcast':
      return dtypeBytes[a] === dtypeBytes[x.dtype] ? undefined : `bitcast of ${a} to ${x.dtype}: the sizes differ`;
    case 'select':
      return a === 'bool' && b === c && x.dtype === b
        ? undefined
        : `select(${types.join(', ')}) to ${x.dtype}: wants bool and twice the result's dtype`;
    case 'lt':
    case 'le':
    case 'eq':
      return same && x.dtype === 'bool'
        ? undefined
        : `${x.op}(${types.join(', ')}) to ${x.dtype}: wants equal dtypes and gives bool`;
    case 'and':
    case 'or':
    case 'xor':
    case 'shl':
    case 'shr':
    case 'mulhi':
      if (isFloat(a)) return `${x.op} of ${a}: wants integers; bitcast first`;
      break;
    case 'exp':
    case 'log':
    case 'sqrt':
    case 'sin':
    case 'cos':
    case 'tanh':
    case 'erf':
    case 'floor':
    case 'round':
    case 'pow':
    case 'fma':
      if (!isFloat(a)) return `${x.op} of ${a}: wants floats; cast first`;
      break;
    default:
  }
  return same && x.dtype === a
    ? undefined
    : `${x.op}(${types.join(', ')}) to ${x.dtype}: the dtypes must agree; cast one of them`;
}

/**
 * Checks a kernel: every name is defined before its use and not again where it is visible (nor does it hide a buffer or a size), dtypes agree,
 * indices are `i32`, loads and stores fit the access of their buffer, loops nest as their kinds demand, and
 * `register` storage is indexed as {@link AllocStmt} promises. Kernels of workgroups have the form that GPUs take, with
 * barriers that all threads reach. Throws a `BackendError` with the statement at fault.
 */
export function verifyKernel(kernel: Kernel, options: VerifyOptions = {}): void {
  let current: Stmt | undefined;
  const fail = (why: string): never => {
    throw new BackendError(
      `kernel '${kernel.name}': ${why}${current ? `, in: ${printStmt(current, 0, true).slice(0, 300)}` : ''}`,
    );
  };
  const scope = new Map<string, Meaning>();
  const define = (name: string, meaning: Meaning): void => {
    if (scope.has(name)) fail(`'${name}' is defined again where it is already visible; rename one of them`);
    scope.set(name, meaning);
  };

  const accessible = (name: string, dtype: DType, store: boolean): AllocStmt | undefined => {
    const m = scope.get(name);
    if (!m || (m.k !== 'buffer' && m.k !== 'alloc'))
      return fail(
        `there is no buffer '${name}' here; known: ${[...scope].flatMap(([n, x]) => (x.k === 'buffer' || x.k === 'alloc' ? [n] : [])).join(', ') || '(none)'}`,
      );
    if (m.dtype !== dtype) fail(`'${name}' holds ${m.dtype}, but is ${store ? 'stored' : 'loaded'} as ${dtype}`);
    if (m.k === 'alloc') return m;
    if (m.buffer!.access === (store ? 'read' : 'write'))
      fail(
        `'${name}' has access '${m.buffer!.access}', but is ${store ? 'stored to' : 'loaded from'}; declare 'update'`,
      );
    return undefined;
  };

  const checkExpr = (x: LoopExpr): void =>
    eachExpr(x, (y) => {
      if (y.k === 'op') {
        const fault = opFault(y);
        if (fault) fail(fault);
      } else if (y.k === 'load') {
        if (y.at.dtype !== 'i32') fail(`the index of '${y.from}' is ${y.at.dtype}, not i32`);
        const storage = accessible(y.from, y.dtype, false);
        if (storage?.memory === 'register') checkRegister(storage, y.at);
      } else if (y.k === 'var') {
        const m = scope.get(y.name);
        if (!m || m.k === 'buffer' || m.k === 'alloc') fail(`'${y.name}' is not defined here`);
        const dtype = m!.k === 'let' ? m!.value.dtype : m!.k === 'dim' ? m!.dtype : 'i32';
        if (dtype !== y.dtype) fail(`'${y.name}' is ${dtype}, but is used as ${y.dtype}`);
      }
    });

  /** The value of an index for chosen values of the counters that it uses; undefined where it has none before the run. */
  const fold = (x: LoopExpr, at: ReadonlyMap<string, number>, counters: Set<ForStmt>): number | undefined => {
    if (x.k === 'const') return x.value;
    if (x.k === 'var') {
      const m = scope.get(x.name);
      if (m?.k === 'let') return fold(m.value, at, counters);
      if (m?.k !== 'for' || (m.kind !== 'unroll' && m.kind !== 'vector')) return undefined;
      counters.add(m);
      return at.get(x.name) ?? 0;
    }
    if (x.k !== 'op') return undefined;
    const [a, b] = x.args.map((arg) => fold(arg, at, counters));
    if (a === undefined || (b === undefined && x.args.length > 1)) return undefined;
    switch (x.op) {
      case 'add':
        return a + b!;
      case 'sub':
        return a - b!;
      case 'mul':
        return a * b!;
      case 'div':
        return Math.trunc(a / b!);
      case 'mod':
        return a % b!;
      default:
        return undefined;
    }
  };

  const checkRegister = (storage: AllocStmt, index: LoopExpr): void => {
    const counters = new Set<ForStmt>();
    if (fold(index, new Map(), counters) === undefined)
      fail(
        `an index of the register storage '${storage.name}' is not a constant once loops are unrolled; use 'local' memory`,
      );
    const vector = [...counters].find((c) => c.kind === 'vector');
    const lanes = options.vectorBytes ? options.vectorBytes / dtypeBytes[storage.dtype] : 1;
    // All values of the unrolled counters, but never more than some thousand.
    let points: ReadonlyMap<string, number>[] = [new Map()];
    for (const c of counters) {
      if (c === vector || c.count.k !== 'const') continue;
      const count = Math.max(1, c.count.value);
      if (points.length * count > 4096) break;
      points = points.flatMap((p) => Array.from({ length: count }, (_, i) => new Map([...p, [c.name, i]])));
    }
    for (const p of points) {
      const base = fold(index, p, counters)!;
      if (base < 0 || base >= storage.length)
        fail(`index ${base} is outside of the register storage '${storage.name}' of ${storage.length}`);
      if (!vector) continue;
      for (const v of [1, 2]) {
        if (fold(index, new Map([...p, [vector.name, v]]), counters) !== base + v)
          fail(`an index of the register storage '${storage.name}' must be the vector counter plus a constant`);
      }
      if (base % lanes !== 0)
        fail(
          `vectors in the register storage '${storage.name}' must start at multiples of ${lanes} elements, not at ${base}`,
        );
    }
  };

  const checkBlock = (block: readonly Stmt[], inside: readonly ForStmt[]): void => {
    const defined: string[] = [];
    for (const s of block) {
      current = s;
      for (const x of exprsOf(s)) checkExpr(x);
      const innermost = inside.at(-1);
      if (innermost?.kind === 'vector' && s.k !== 'let' && s.k !== 'store')
        fail(`a vector loop holds only let and store`);
      switch (s.k) {
        case 'let':
          define(s.name, s);
          defined.push(s.name);
          break;
        case 'alloc':
          if (!Number.isInteger(s.length) || s.length < 0) fail(`the length of storage must be a whole number`);
          if (s.memory === 'shared' && inside.some((l) => l.kind === 'local'))
            fail('shared storage must stand outside of local loops');
          define(s.name, s);
          defined.push(s.name);
          break;
        case 'store': {
          if (s.at.dtype !== 'i32') fail(`the index of '${s.to}' is ${s.at.dtype}, not i32`);
          const storage = accessible(s.to, s.value.dtype, true);
          if (storage?.memory === 'register') checkRegister(storage, s.at);
          break;
        }
        case 'for':
          if (s.count.dtype !== 'i32') fail(`the count is ${s.count.dtype}, not i32`);
          if (s.kind === 'unroll' && s.count.k !== 'const') fail('the count of an unrolled loop must be a constant');
          if (s.kind === 'grid' && inside.some((l) => l.kind !== 'grid'))
            fail('a grid loop may stand only at the outside, or in another grid loop');
          if (s.kind === 'local' && inside.some((l) => l.kind !== 'grid' && l.kind !== 'local'))
            fail('a local loop may stand only in grid and local loops');
          define(s.name, s);
          checkBlock(s.body, [...inside, s]);
          scope.delete(s.name);
          break;
        case 'if':
          if (s.when.dtype !== 'bool') fail(`the condition is ${s.when.dtype}, not bool`);
          checkBlock(s.body, inside);
          break;
        case 'barrier':
          if (!inside.some((l) => l.kind === 'local')) fail('a barrier stands in a local loop');
          break;
        default:
          s satisfies never;
      }
    }
    for (const name of defined) scope.delete(name);
  };

  for (const b of kernel.buffers) define(b.name, { k: 'buffer', dtype: b.dtype, buffer: b });
  for (const d of kernel.dims) define(d, { k: 'dim', dtype: 'i32' });
  checkBlock(kernel.body, []);
  current = undefined;
  if (isForWorkgroups(kernel)) {
    verifyWorkgroups(kernel, (why, at) => {
      current = at;
      return fail(why);
    });
    return;
  }

  let grids = 0;
  eachStmt(kernel.body, (s) => {
    if (s.k === 'for' && s.kind === 'grid') grids++;
  });
  if (grids === 0) return;
  const last = kernel.body.at(-1);
  if (last?.k !== 'for' || last.kind !== 'grid' || kernel.body.slice(0, -1).some((s) => s.k !== 'let')) {
    fail('a kernel with a grid loop holds lets and then that one loop, nothing else');
  }
}

/**
 * Checks a plan: its kernels, that every step hands a kernel buffers of the right dtypes, that no step writes a buffer
 * which it also has under another name, that lifetimes cover the steps, that nothing is read before it is written, and that what need
 * run once only gives the same in every run.
 * Throws a `BackendError`.
 */
export function verifyPlan(plan: Plan, options: VerifyOptions = {}): void {
  const fail = (why: string): never => {
    throw new BackendError(`plan '${plan.name}': ${why}`);
  };
  for (const k of plan.kernels) {
    verifyKernel(k, options);
    for (const d of k.dims)
      if (!(d in plan.dims)) fail(`kernel '${k.name}' uses the size '${d}', which the plan does not have`);
  }
  const names = new Set<string>();
  for (const b of plan.buffers) {
    if (names.has(b.name)) fail(`two buffers are named '${b.name}'`);
    names.add(b.name);
    if (b.role === 'constant' && !(b.name in plan.constants)) fail(`the constant '${b.name}' has no data`);
    eachExpr(b.length, (x) => {
      if (x.k === 'var' && !(x.name in plan.dims))
        fail(`the length of buffer '${b.name}' uses the size '${x.name}', which the plan does not have`);
    });
  }
  for (const [kind, ports] of Object.entries({ input: plan.inputs, state: plan.state, output: plan.outputs })) {
    for (const [name, port] of Object.entries(ports)) {
      const b = plan.buffers[port.buffer];
      if (!b) return fail(`${kind} '${name}' is in buffer ${port.buffer}, which does not exist`);
      if (b.dtype !== port.dtype) fail(`${kind} '${name}' is ${port.dtype}, its buffer '${b.name}' ${b.dtype}`);
      if (kind !== 'output' && b.role !== kind)
        fail(`${kind} '${name}' is in buffer '${b.name}', whose role is ${b.role}`);
      if (kind === 'output' && b.role === 'scratch')
        fail(`output '${name}' is in the scratch buffer '${b.name}', which dies with the run`);
    }
  }
  const { prepare = 0 } = plan;
  if (!Number.isInteger(prepare) || prepare < 0 || prepare > plan.steps.length)
    fail(`prepare is ${prepare}, the plan has ${plan.steps.length} steps`);
  const steady = new Set(preparedFrom(plan).map((name) => plan.state[name]!.buffer));
  const kept = keepPrepared(plan).buffers;
  const free = (name: string): boolean => plan.dims[name]!.min < plan.dims[name]!.max;
  const written = new Set<number>();
  plan.steps.forEach((step, at) => {
    const kernel = plan.kernels[step.kernel];
    if (!kernel) return fail(`step ${at} runs kernel ${step.kernel}, which does not exist`);
    const where = `step ${at} (${kernel.name})`;
    if (at < prepare && kernel.dims.some(free))
      fail(`${where} is run once and depends on the size '${kernel.dims.find(free)}'`);
    if (step.buffers.length !== kernel.buffers.length)
      fail(`${where} hands over ${step.buffers.length} buffers, the kernel has ${kernel.buffers.length}`);
    kernel.buffers.forEach((want, i) => {
      const index = step.buffers[i]!;
      const b = plan.buffers[index];
      if (!b) return fail(`${where}: buffer ${index} does not exist`);
      if (b.dtype !== want.dtype) fail(`${where}: '${want.name}' is ${want.dtype}, the buffer '${b.name}' ${b.dtype}`);
      if (b.role === 'scratch' && (b.live[0] > at || b.live[1] < at))
        fail(`${where} uses '${b.name}', which lives for steps ${b.live[0]}..${b.live[1]}`);
      if (want.access !== 'read' && (b.role === 'constant' || b.role === 'input'))
        fail(`${where} writes '${b.name}', whose role is ${b.role}`);
      if (at < prepare && b.role !== 'scratch' && (want.access !== 'read' || b.role === 'input' || b.role === 'output'))
        fail(`${where} is run once and ${want.access}s '${b.name}', whose role is ${b.role}`);
      if (want.access !== 'read' && (steady.has(index) || (at >= prepare && kept[index]!.role === 'prepared')))
        fail(`${where} writes '${b.name}', which steps that are run once depend on`);
      if (want.access === 'read' && (b.role === 'scratch' || b.role === 'output') && !written.has(index))
        fail(`${where} reads '${b.name}' before any step writes it`);
      if (want.access !== 'read' && step.buffers.some((other, j) => other === index && j !== i))
        fail(`${where} writes '${b.name}' and has it under another name too; use one buffer with access 'update'`);
    });
    kernel.buffers.forEach((want, i) => {
      if (want.access !== 'read') written.add(step.buffers[i]!);
    });
  });
}
