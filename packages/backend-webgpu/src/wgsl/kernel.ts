/**
 * A kernel of the loop language as one WGSL module. The grid is workgroups, folded into two dimensions; a `local` loop is the
 * threads of a workgroup; `register` storage is variables; everything else reads as it does in the loop language.
 */
import type { AllocStmt, ForStmt, Kernel, KernelBuffer, LoadExpr, LoopExpr, Stmt } from '@sinter/compiler';
import { BackendError, bodyOf, exprsOf } from '@sinter/compiler';
import type { DType, Expr, OpExpr } from '@sinter/ir';
import { scalarFunction, substitute } from '@sinter/ir';
import { helperCode } from './helpers.ts';
import type { HelperName } from './helpers.ts';
import { Names } from './names.ts';
import type { Text } from './spell.ts';
import { atom, call, level, literal, spell, UnspelledError, valueType, within } from './spell.ts';
import type { Abilities, Packing } from './storage.ts';
import { elementType, fromElement, indexed, isPacked, packingCode, toElement } from './storage.ts';

/** A kernel as text, and what is needed to call it. */
export interface Printed {
  readonly name: string;
  readonly entry: string;
  readonly code: string;
  readonly workgroup: readonly [number, number, number];
  /** The number of workgroups, over the run-time sizes. */
  readonly grid: Expr;
  /** Bytes of workgroup memory. */
  readonly sharedBytes: number;
  /** Whether the module enables f16. */
  readonly f16: boolean;
}

/** A loop of independent iterations of at most so many is written out. */
const expandedCount = 8;
/** Expressions are nested no deeper: compilers give up somewhere beyond 100, readers earlier. */
const deepest = 24;
/** Workgroups along one dimension, as every device has them. */
export const maxGroups = 65535;

/**
 * Prints a kernel. `dims` are the run-time sizes of the plan, in order; `bytes` are the sizes of its buffers where they are always
 * the same: an array of known length is cheaper to guard than one whose length must be asked for.
 */
export function printKernel(
  kernel: Kernel,
  dims: readonly string[],
  abilities: Abilities,
  bytes: readonly (number | undefined)[] = [],
): Printed {
  const fail = (why: string): never => {
    throw new BackendError(`kernel '${kernel.name}': ${why}`);
  };
  const names = new Names();
  const entry = names.fresh(kernel.name);
  const lines: string[] = [];
  const globals: string[] = [];
  const helpers = new Set<HelperName>();
  const need = (helper: HelperName): void => {
    helpers.add(helper);
  };
  let depth = 1;
  let usesInf = false;
  let usesNan = false;
  let sharedBytes = 0;
  let temporaries = 0;
  const line = (text: string): void => {
    lines.push(`${'  '.repeat(depth)}${text}`);
  };

  // ---- what names stand for
  const values = new Map<string, Text>();
  const buffers = new Map<string, KernelBuffer & { readonly text: string; readonly packing?: Packing }>();
  const storage = new Map<string, AllocStmt & { readonly text: string }>();
  const stored = new Set<string>();
  const collect = (s: Stmt): void => {
    if (s.k === 'store') stored.add(s.to);
    bodyOf(s).forEach(collect);
  };
  kernel.body.forEach(collect);

  const usesF16 = { yes: false };
  const touchF16 = (dtype: DType): void => {
    usesF16.yes ||= dtype === 'f16' && abilities.f16;
  };
  for (const b of kernel.buffers) {
    const text = names.fresh(b.name);
    touchF16(b.dtype);
    if (!isPacked(b.dtype, abilities)) buffers.set(b.name, { ...b, text });
    else {
      const packing = {
        buffer: text,
        dtype: b.dtype,
        load: names.fresh(`load_${text}`),
        store: names.fresh(`store_${text}`),
        stores: stored.has(b.name),
      };
      buffers.set(b.name, { ...b, text, packing });
    }
  }
  const fields = new Map(dims.map((d) => [d, names.fresh(d)]));
  for (const d of kernel.dims) values.set(d, atom(`sizes.${fields.get(d) ?? fail(`the plan has no size '${d}'`)}`));

  // ---- expressions
  /** The values of operations on constants, in the statement at hand. */
  const folded = new Map<LoopExpr, number | undefined>();
  const constantOf = (x: LoopExpr): number | undefined => {
    if (x.k === 'const') return x.value;
    if (x.k === 'var') return values.get(x.name)?.constant;
    if (x.k !== 'op') return undefined;
    if (folded.has(x)) return folded.get(x);
    const args = x.args.map(constantOf);
    const [a = 0, b = 0, c = 0] = args;
    const value = args.some((arg) => arg === undefined)
      ? undefined
      : scalarFunction(x.op, operandType(x), x.dtype)(a, b, c);
    folded.set(x, value);
    return value;
  };
  const constant = (value: number, dtype: DType): Text => {
    if (valueType(dtype) === 'f32') {
      usesNan ||= Number.isNaN(value);
      usesInf ||= Math.abs(value) === Infinity;
    }
    return literal(value, dtype);
  };
  /** Texts of what was named earlier in the same statement. */
  let shared = new Map<LoopExpr, Text>();
  const expression = (x: LoopExpr): Text => {
    const known = shared.get(x);
    if (known) return known;
    const value = constantOf(x);
    if (value !== undefined) return constant(value, x.dtype);
    switch (x.k) {
      case 'const':
        return constant(x.value, x.dtype);
      case 'var':
        return values.get(x.name) ?? fail(`'${x.name}' is not defined`);
      case 'load': {
        const b = buffers.get(x.from);
        if (b?.packing) return call(b.packing.load, expression(x.at));
        if (b) return fromElement(indexed(b.text, expression(x.at)), x.dtype, abilities);
        const a = storage.get(x.from) ?? fail(`there is no buffer '${x.from}'`);
        return fromElement(place(a, x.at), x.dtype, abilities);
      }
      case 'op': {
        // What adds or takes away nothing comes from counters that became constants.
        const [a, b] = x.args.map((arg) => (arg.dtype === 'i32' ? constantOf(arg) : undefined));
        if (x.dtype === 'i32' && (x.op === 'add' || x.op === 'sub') && b === 0) return expression(x.args[0]!);
        if (x.dtype === 'i32' && x.op === 'add' && a === 0) return expression(x.args[1]!);
        return spell(x.op, operandType(x), x.dtype, x.args.map(expression), need);
      }
      default:
        return x satisfies never;
    }
  };
  const place = (a: AllocStmt & { readonly text: string }, at: LoopExpr): Text => {
    if (a.memory !== 'register') return indexed(a.text, expression(at));
    const index = constantOf(at) ?? fail(`an index of the register storage '${a.name}' is not a constant`);
    if (index < 0 || index >= a.length) fail(`index ${index} is outside of the register storage '${a.name}'`);
    return atom(a.length === 1 ? a.text : `${a.text}_${index}`);
  };
  /** The texts of a statement's expressions, after `let`s for what stands in them more than once, and for what is nested deep. */
  const expressions = (roots: readonly LoopExpr[]): Text[] => {
    shared = new Map();
    const uses = new Map<LoopExpr, number>();
    const order: LoopExpr[] = [];
    const partsOf = (x: LoopExpr): readonly LoopExpr[] => (x.k === 'op' ? x.args : x.k === 'load' ? [x.at] : []);
    const count = (x: LoopExpr): void => {
      const n = uses.get(x) ?? 0;
      uses.set(x, n + 1);
      if (n > 0) return;
      partsOf(x).forEach(count);
      order.push(x);
    };
    roots.forEach(count);
    const heights = new Map<LoopExpr, number>();
    for (const x of order) {
      const height = 1 + Math.max(0, ...partsOf(x).map((part) => heights.get(part)!));
      heights.set(x, height);
      if ((uses.get(x)! < 2 && height < deepest) || x.k === 'const' || x.k === 'var') continue;
      if (constantOf(x) !== undefined || (x.k === 'load' && storage.get(x.from)?.memory === 'register')) continue;
      const name = names.fresh(`t${++temporaries}`);
      line(`let ${name} = ${expression(x).text};`);
      shared.set(x, atom(name));
      heights.set(x, 0);
    }
    const texts = roots.map(expression);
    shared = new Map();
    return texts;
  };

  // ---- statements
  const define = (s: Extract<Stmt, { k: 'let' }>): void => {
    const value = constantOf(s.value);
    if (value !== undefined) {
      values.set(s.name, constant(value, s.value.dtype));
      return;
    }
    const [text] = expressions([s.value]);
    const name = names.fresh(s.name);
    line(`let ${name} = ${text!.text};`);
    values.set(s.name, atom(name));
  };
  const allocate = (s: AllocStmt): void => {
    const text = names.fresh(s.name);
    const type = elementType(s.dtype, abilities);
    touchF16(s.dtype);
    storage.set(s.name, { ...s, text });
    if (s.memory === 'shared') {
      sharedBytes += Math.ceil((s.length * (type === 'f16' ? 2 : 4)) / 16) * 16;
      globals.push(`var<workgroup> ${text}: array<${type}, ${s.length}>;`);
    } else if (s.memory === 'local') line(`var ${text}: array<${type}, ${s.length}>;`);
    else if (s.length === 1) line(`var ${text}: ${type};`);
    else for (let i = 0; i < s.length; i++) line(`var ${text}_${i}: ${type};`);
  };
  const put = (s: Extract<Stmt, { k: 'store' }>): void => {
    const b = buffers.get(s.to);
    if (b) {
      const [at, value] = expressions([s.at, s.value]) as [Text, Text];
      if (b.packing) line(`${call(b.packing.store, at, value).text};`);
      else line(`${indexed(b.text, at).text} = ${(b.dtype === 'f16' ? call('f16', value) : value).text};`);
      return;
    }
    const a = storage.get(s.to) ?? fail(`there is no buffer '${s.to}'`);
    const [value] = expressions([s.value]) as [Text];
    const to = a.memory === 'register' ? place(a, s.at) : indexed(a.text, expressions([s.at])[0]!);
    line(`${to.text} = ${toElement(value, a.dtype, abilities, need).text};`);
  };
  const repeat = (s: ForStmt): void => {
    const fixed = constantOf(s.count);
    const free = s.kind === 'unroll' || (s.kind === 'vector' && (fixed! <= expandedCount || touchesRegisters(s)));
    if (fixed !== undefined && free) {
      for (let i = 0; i < fixed; i++) {
        values.set(s.name, literal(i, 'i32'));
        s.body.forEach(statement);
      }
      return;
    }
    let [count] = expressions([s.count]) as [Text];
    if (count.constant === undefined && !/^[\w.]+$/.test(count.text)) {
      const name = names.fresh(`${s.name}_count`);
      line(`let ${name} = ${count.text};`);
      count = atom(name);
    }
    const name = names.fresh(s.name);
    values.set(s.name, atom(name));
    line(`for (var ${name} = 0; ${name} < ${count.text}; ${name}++) {`);
    block(s.body);
  };
  const touchesRegisters = (s: Stmt): boolean =>
    [...touched(s)].some((name) => storage.get(name)?.memory === 'register');
  const block = (body: readonly Stmt[]): void => {
    depth++;
    body.forEach(statement);
    depth--;
    line('}');
  };
  const updates = kernel.buffers.some((b) => b.access === 'update');
  const statement = (s: Stmt): void => {
    folded.clear();
    switch (s.k) {
      case 'let':
        define(s);
        break;
      case 'alloc':
        allocate(s);
        break;
      case 'store':
        put(s);
        break;
      case 'if':
        line(`if (${expressions([s.when])[0]!.text}) {`);
        block(s.body);
        break;
      case 'barrier':
        line('workgroupBarrier();');
        if (updates) line('storageBarrier();');
        break;
      case 'for':
        if (s.kind === 'local') threads(s);
        else repeat(s);
        break;
      default:
        s satisfies never;
    }
  };
  const [width, height, depthOfGroup] = kernel.workgroup;
  const size = width * height * depthOfGroup;
  let inThreads = false;
  const threads = (s: ForStmt): void => {
    if (inThreads) fail('a local loop stands in another one');
    if (constantOf(s.count) !== size)
      fail(`its local loop does not have as many iterations as its workgroup has threads (${size})`);
    inThreads = true;
    values.set(s.name, call('i32', atom('thread')));
    const name = names.fresh(s.name);
    line(`let ${name} = i32(thread);`);
    values.set(s.name, atom(name));
    s.body.forEach(statement);
    inThreads = false;
  };
  /** Outside of the local loop all threads do the same, so that only what is private or shared may stand there. */
  const uniform = (body: readonly Stmt[]): void => {
    for (const s of body) {
      const fine = size === 1 || s.k === 'let' || s.k === 'alloc' || (s.k === 'for' && s.kind === 'local');
      if (!fine) fail(`with ${size} threads in a workgroup, '${s.k}' must stand in its local loop`);
      statement(s);
    }
  };

  const lets = new Map<string, LoopExpr>();
  let grid: LoopExpr = { k: 'const', value: 1, dtype: 'i32' };
  const outermost = (s: Stmt): void => {
    if (s.k === 'let') lets.set(s.name, s.value);
    if (s.k !== 'for' || s.kind !== 'grid') {
      uniform([s]);
      return;
    }
    const resolve = (x: LoopExpr): LoopExpr =>
      substitute(x, (leaf) =>
        leaf.k === 'var'
          ? lets.has(leaf.name)
            ? resolve(lets.get(leaf.name)!)
            : leaf
          : fail('its grid depends on a load'),
      ) as LoopExpr;
    grid = resolve(s.count);
    const fixed = constantOf(s.count);
    const name = names.fresh(s.name);
    if (fixed !== undefined && fixed <= maxGroups) line(`let ${name} = i32(group.x);`);
    else {
      const [count] = expressions([s.count]) as [Text];
      line(`let ${name} = i32(group.y * groups.x + group.x);`);
      line(`if (${within(count, level.sum)} <= ${name}) {`);
      line('  return;');
      line('}');
    }
    values.set(s.name, atom(name));
    uniform(s.body);
  };

  try {
    kernel.body.forEach(outermost);
  } catch (error) {
    if (error instanceof UnspelledError) fail(error.message);
    throw error;
  }

  const bindings = [...buffers.values()].map((b, i) => {
    const word = b.packing?.stores ? 'atomic<u32>' : 'u32';
    const type = b.packing ? word : elementType(b.dtype, abilities);
    const known = bytes[i];
    const length = known === undefined ? '' : `, ${known / (type === 'f16' ? 2 : 4)}`;
    return `@group(0) @binding(${i + 1}) var<storage, read_write> ${b.text}: array<${type}${length}>;`;
  });
  const packings = [...buffers.values()].flatMap((b) => (b.packing ? packingCode(b.packing, need) : []));
  const functions = helperCode(helpers);
  const head = [
    ...(usesInf ? ['  let inf = bitcast<f32>(sizes.inf);'] : []),
    ...(usesNan ? ['  let nan = bitcast<f32>(sizes.nan);'] : []),
  ];
  const code = [
    describe(kernel),
    usesF16.yes ? 'enable f16;\n' : '',
    'struct Sizes {',
    '  inf: u32,',
    '  nan: u32,',
    ...dims.map((d) => `  ${fields.get(d)}: i32,`),
    '}',
    '@group(0) @binding(0) var<uniform> sizes: Sizes;',
    ...bindings,
    ...globals,
    '',
    ...[...functions, ...packings].map((f) => `${f}\n`),
    `@compute @workgroup_size(${kernel.workgroup.join(', ').replace(/(, 1)+$/, '')})`,
    `fn ${entry}(`,
    '  @builtin(workgroup_id) group: vec3<u32>,',
    '  @builtin(num_workgroups) groups: vec3<u32>,',
    '  @builtin(local_invocation_index) thread: u32,',
    ') {',
    ...head,
    ...lines,
    '}',
    '',
  ];
  return {
    name: kernel.name,
    entry,
    code: code.filter((part, i) => part !== '' || i > 2).join('\n'),
    workgroup: kernel.workgroup,
    grid: grid as Expr,
    sharedBytes,
    f16: usesF16.yes,
  };
}

/** The dtype that decides how an op is spelled: that of its operands. */
function operandType(x: OpExpr<LoadExpr>): DType {
  return x.args[x.op === 'select' ? 1 : 0]!.dtype;
}

/** The names that a statement, with all that is inside of it, loads from or stores to. */
function touched(s: Stmt, seen = new Set<LoopExpr>(), names = new Set<string>()): Set<string> {
  const visit = (x: LoopExpr): void => {
    if (seen.has(x)) return;
    seen.add(x);
    if (x.k === 'load') {
      names.add(x.from);
      visit(x.at);
    } else if (x.k === 'op') x.args.forEach(visit);
  };
  exprsOf(s).forEach(visit);
  if (s.k === 'store') names.add(s.to);
  for (const inner of bodyOf(s)) touched(inner, seen, names);
  return names;
}

/** What a kernel does, as a comment. */
function describe(kernel: Kernel): string {
  const list = (access: KernelBuffer['access'], verb: string): string[] => {
    const found = kernel.buffers.filter((b) => b.access === access);
    return found.length ? [`${verb} ${found.map((b) => `${b.name} (${b.dtype})`).join(', ')}`] : [];
  };
  const does = [...list('read', 'reads'), ...list('update', 'updates'), ...list('write', 'writes')].join('; ');
  return `// ${kernel.name}: ${does}`;
}
