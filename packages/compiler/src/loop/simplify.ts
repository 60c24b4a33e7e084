/** Kernels made small: unique names, unrolled loops, simplified expressions, and no loop that runs never or once. */
import type { Expr, Range } from '@sinter/ir';
import { constantExpr, simplifier, substitute } from '@sinter/ir';
import type { DimRange } from '../artifact/format.ts';
import type { ForStmt, Kernel, LoadExpr, LoopExpr, LoopKind, Stmt } from './language.ts';
import { eachExpr, eachStmt, withExprs } from './walk.ts';

/** What names and storage are replaced by. */
interface Names {
  readonly values: Map<string, LoopExpr>;
  readonly storage: Map<string, string>;
}

/** Replaces names in an expression. */
export function rename(x: LoopExpr, { values, storage }: Names): LoopExpr {
  if (values.size === 0 && storage.size === 0) return x;
  const go = (y: LoopExpr): LoopExpr =>
    substitute<LoadExpr, LoadExpr>(y, (leaf) =>
      leaf.k === 'var'
        ? (values.get(leaf.name) ?? leaf)
        : { ...leaf, from: storage.get(leaf.from) ?? leaf.from, at: go(leaf.at) },
    );
  return go(x);
}

/** Gives out names that a kernel does not have yet. */
export function namer(kernel: Kernel): (wanted: string) => string {
  const taken = new Set([...kernel.buffers.map((b) => b.name), ...kernel.dims]);
  eachStmt(kernel.body, (s) => {
    if (s.k === 'for' || s.k === 'let' || s.k === 'alloc') taken.add(s.name);
  });
  return (wanted) => {
    let name = wanted;
    for (let i = 1; taken.has(name); i++) name = `${wanted}${/\d$/.test(wanted) ? '_' : ''}${i}`;
    taken.add(name);
    return name;
  };
}

/** The kind of loop that each counter of a kernel with unique names counts. */
export type CounterKinds = ReadonlyMap<string, LoopKind>;

/** Finds the kind of every counter. */
export function counterKinds(kernel: Kernel): CounterKinds {
  const kinds = new Map<string, LoopKind>();
  eachStmt(kernel.body, (s) => {
    if (s.k === 'for') kinds.set(s.name, s.kind);
  });
  return kinds;
}

/**
 * Whether an index must be left where it is used: it depends on nothing but `unroll` counters (a constant when code is
 * made), or moves with the counter of a `vector` loop (backends must see that neighbouring lanes are neighbours).
 */
export function staysInline(x: LoopExpr, kinds: CounterKinds): boolean {
  if (x.dtype !== 'i32') return false;
  let known = movements.get(kinds);
  if (!known) movements.set(kinds, (known = new Map<LoopExpr, Movement>()));
  const movement = movementOf(x, kinds, known);
  return movement === 'constant' || movement === 'vector';
}

/** What an index does while a kernel runs: nothing that its code would not say, move with a vector, move as a sum of products, anything. */
type Movement = 'constant' | 'vector' | 'affine' | 'other';
const movements = new WeakMap<CounterKinds, Map<LoopExpr, Movement>>();

function movementOf(x: LoopExpr, kinds: CounterKinds, known: Map<LoopExpr, Movement>): Movement {
  let out = known.get(x);
  if (out !== undefined) return out;
  if (x.k === 'const') out = 'constant';
  else if (x.k === 'var') {
    const kind = kinds.get(x.name);
    out = kind === 'unroll' ? 'constant' : kind === 'vector' ? 'vector' : 'affine';
  } else if (x.k === 'op' && (x.op === 'add' || x.op === 'mul' || x.op === 'sub')) {
    const [a, b] = [movementOf(x.args[0]!, kinds, known), movementOf(x.args[1]!, kinds, known)];
    out = (['other', 'vector', 'affine'] as const).find((m) => a === m || b === m) ?? 'constant';
  } else out = 'other';
  known.set(x, out);
  return out;
}

/** Makes every name of a kernel unique, and repeats the bodies of `unroll` loops where `unroll` is asked for. */
export function expand(kernel: Kernel, unroll: boolean): Kernel {
  const fresh = namer(kernel);
  const used = new Set<string>();
  const define = (name: string): string => {
    const out = used.has(name) ? fresh(name) : name;
    used.add(out);
    return out;
  };
  const block = (stmts: readonly Stmt[], outer: Names): Stmt[] => {
    const names: Names = { values: new Map(outer.values), storage: new Map(outer.storage) };
    return stmts.flatMap((s): Stmt[] => {
      const go = (x: LoopExpr): LoopExpr => rename(x, names);
      switch (s.k) {
        case 'for': {
          if (unroll && s.kind === 'unroll' && s.count.k === 'const') {
            return Array.from({ length: Math.max(0, s.count.value) }, (_, i) => i).flatMap((i) =>
              block(s.body, { ...names, values: new Map([...names.values, [s.name, constantExpr(i)]]) }),
            );
          }
          const name = define(s.name);
          const values =
            name === s.name
              ? names.values
              : new Map([...names.values, [s.name, { k: 'var', name, dtype: 'i32' } as const]]);
          return [{ ...s, name, count: go(s.count), body: block(s.body, { ...names, values }) }];
        }
        case 'let': {
          const value = go(s.value);
          const name = define(s.name);
          if (name !== s.name) names.values.set(s.name, { k: 'var', name, dtype: value.dtype });
          return [{ k: 'let', name, value }];
        }
        case 'alloc': {
          const name = define(s.name);
          if (name !== s.name) names.storage.set(s.name, name);
          return [{ ...s, name }];
        }
        case 'store':
          return [{ ...s, to: names.storage.get(s.to) ?? s.to, at: go(s.at), value: go(s.value) }];
        case 'if':
          return [{ ...s, when: go(s.when), body: block(s.body, names) }];
        case 'barrier':
          return [s];
        default:
          return s satisfies never;
      }
    });
  };
  return { ...kernel, body: block(kernel.body, { values: new Map(), storage: new Map() }) };
}

/** A simplifier for the expressions of a kernel with unique names. */
export function kernelSimplifier(kernel: Kernel, dims: Readonly<Record<string, DimRange>>): (x: LoopExpr) => LoopExpr {
  const ranges = new Map<string, Range>(kernel.dims.map((d) => [d, dims[d] ?? { min: 1, max: Infinity }]));
  eachStmt(kernel.body, (s) => {
    if (s.k !== 'for') return;
    let loads = false;
    eachExpr(s.count, (x) => {
      loads ||= x.k === 'load';
    });
    if (s.count.k === 'const') ranges.set(s.name, { min: 0, max: s.count.value - 1 });
    else ranges.set(s.name, { min: 0, max: Infinity, ...(loads ? {} : { count: s.count as Expr }) });
  });
  return simplifier<LoadExpr>({
    range: (name) => ranges.get(name),
    leaf: (leaf, simplify) => {
      const at = simplify(leaf.at);
      return at === leaf.at ? leaf : { ...leaf, at };
    },
    leafKey: (leaf, key) => `${leaf.from}[${key(leaf.at)}]`,
  });
}

/**
 * Simplifies every expression with what is known of counters and sizes; puts the values of trivial `let`s where they
 * are used, runs loops of one iteration inline, and drops what never runs.
 */
export function simplifyKernel(kernel: Kernel, dims: Readonly<Record<string, DimRange>>): Kernel {
  const simplify = kernelSimplifier(kernel, dims);
  const kinds = counterKinds(kernel);
  const names: Names = { values: new Map(), storage: new Map() };
  const go = (x: LoopExpr): LoopExpr => simplify(rename(x, names));
  const block = (stmts: readonly Stmt[]): Stmt[] =>
    stmts.flatMap((s): Stmt[] => {
      switch (s.k) {
        case 'let': {
          const value = go(s.value);
          if (value.k === 'const' || value.k === 'var' || staysInline(value, kinds)) {
            names.values.set(s.name, value);
            return [];
          }
          return [{ ...s, value }];
        }
        case 'if': {
          const when = go(s.when);
          if (when.k === 'const') return when.value === 0 ? [] : block(s.body);
          const body = block(s.body);
          return body.length === 0 ? [] : [{ ...s, when, body }];
        }
        case 'for': {
          const count = go(s.count);
          if (count.k === 'const' && count.value <= 0) return [];
          if (count.k === 'const' && count.value === 1 && !waits(s.body) && !isOfWorkgroups(s)) {
            names.values.set(s.name, constantExpr(0));
            return block(s.body);
          }
          const body = block(s.body);
          return body.length === 0 ? [] : [{ ...s, count, body }];
        }
        default:
          return [withExprs(s, go, block)];
      }
    });
  return { ...kernel, body: block(kernel.body) };
}

/** Whether a loop is one of the two that make workgroups: they say what is dispatched. */
function isOfWorkgroups(s: ForStmt): boolean {
  return (
    s.kind === 'local' || (s.kind === 'grid' && s.body.some((inner) => inner.k === 'for' && inner.kind === 'local'))
  );
}

/** Whether a block holds a barrier. */
export function waits(block: readonly Stmt[]): boolean {
  let found = false;
  eachStmt(block, (s) => {
    found ||= s.k === 'barrier';
  });
  return found;
}
