/**
 * Moves what does not depend on a loop out of it. Sums and products of indices are put in order first, outermost
 * dependence leftmost, so that the part which a loop does not change is one expression and one `let`.
 */
import { constantExpr, e } from '@sinter/ir';
import type { DimRange } from '../artifact/format.ts';
import type { Kernel, LoadExpr, LoopExpr, Stmt } from './language.ts';
import { printExpr } from './print.ts';
import { counterKinds, kernelSimplifier, namer, staysInline, waits } from './simplify.ts';
import { eachExpr, eachStmt, exprKey, partsOf, withParts } from './walk.ts';

/** A block on the way from the kernel's body to the statement at hand. */
interface Block {
  /** The loop or condition that the block is the body of. */
  readonly of: Stmt | undefined;
  /** The block's statements so far; what is hoisted to here goes to the end. */
  readonly out: Stmt[];
  /** Names of what has been hoisted to here and holds no load. */
  readonly known: Map<LoopExpr, LoopExpr>;
}

/** Moves loop-invariant expressions and `let`s as far out as they may go. Names must be unique. */
export function hoistInvariants(kernel: Kernel, dims: Readonly<Record<string, DimRange>>): Kernel {
  const fresh = namer(kernel);
  const kinds = counterKinds(kernel);
  const simplify = kernelSimplifier(kernel, dims);
  const readOnly = new Set(kernel.buffers.flatMap((b) => (b.access === 'read' ? [b.name] : [])));
  const registers = new Set<string>();
  /** The position in `path` of the block that defines a name. */
  const depths = new Map<string, number>();
  const path: Block[] = [];

  // ---- one object for equal expressions
  const table = new Map<string, LoopExpr>();
  const ids = new Map<LoopExpr, number>();
  const intern = (x: LoopExpr): LoopExpr => {
    if (ids.has(x)) return x;
    const y = withParts(x, intern);
    const inner = partsOf(y)
      .map((p) => ids.get(p))
      .join();
    const key = exprKey(y, inner);
    const known = table.get(key);
    if (known) return known;
    table.set(key, y);
    ids.set(y, ids.size);
    return y;
  };

  // ---- how far out an expression may go
  const stored = new Map<Stmt, Set<string>>();
  const storesIn = (s: Stmt): Set<string> => {
    let known = stored.get(s);
    if (!known) {
      stored.set(s, (known = new Set()));
      eachStmt([s], (inner) => {
        if (inner.k === 'store') known!.add(inner.to);
      });
    }
    return known;
  };
  /** The outermost block in which something that may fail, or depends on the contents of `buffer`, means the same. */
  const floorOf = (buffer?: string): number => {
    let d = path.length - 1;
    for (; d > 0; d--) {
      const s = path[d]!.of!;
      if (s.k !== 'for' || s.kind === 'grid' || s.count.k !== 'const' || s.count.value < 1) break;
      if (buffer !== undefined && (storesIn(s).has(buffer) || (!readOnly.has(buffer) && waits(s.body)))) break;
    }
    return d;
  };
  const neverZero = (x: LoopExpr): boolean => {
    if (x.k === 'const') return x.value > 0;
    const positive = simplify(e.lt<LoadExpr>(constantExpr(0, x.dtype), x));
    return positive.k === 'const' && positive.value === 1;
  };
  /** Valid for the statement at hand only. */
  let limits = new Map<LoopExpr, number>();
  const limitOf = (x: LoopExpr): number => {
    let known = limits.get(x);
    if (known === undefined) {
      known = Math.max(0, ...partsOf(x).map(limitOf));
      if (x.k === 'var') known = depths.get(x.name) ?? 0;
      else if (x.k === 'load') known = Math.max(known, depths.get(x.from) ?? 0, floorOf(x.from));
      else if (x.k === 'op' && (x.op === 'div' || x.op === 'mod') && x.dtype !== 'f32' && !neverZero(x.args[1]!))
        known = Math.max(known, floorOf());
      limits.set(x, known);
    }
    return known;
  };

  // ---- the order of sums and products
  let ordered = new Map<LoopExpr, LoopExpr>();
  const rank = (x: LoopExpr): readonly [number, number, LoopExpr] => [
    x.k === 'const'
      ? 2
      : x.k === 'op' && staysInline(x, kinds) && !mentionsVector(x)
        ? 1
        : x.k === 'var' && kinds.get(x.name) === 'unroll'
          ? 1
          : 0,
    limitOf(x),
    x,
  ];
  const texts = new Map<LoopExpr, string>();
  const printed = (x: LoopExpr): string => {
    let text = texts.get(x);
    if (text === undefined) texts.set(x, (text = printExpr(x)));
    return text;
  };
  const mentionsVector = (x: LoopExpr): boolean => {
    let found = false;
    eachExpr(x, (y) => {
      found ||= y.k === 'var' && kinds.get(y.name) === 'vector';
    });
    return found;
  };
  const order = (x: LoopExpr): LoopExpr => {
    let known = ordered.get(x);
    if (known === undefined) {
      known =
        x.k === 'op' && x.dtype === 'i32' && (x.op === 'add' || x.op === 'mul')
          ? orderChain(x, x.op)
          : intern(withParts(x, order));
      ordered.set(x, known);
    }
    return known;
  };
  const orderChain = (x: LoopExpr, op: 'add' | 'mul'): LoopExpr => {
    const terms: LoopExpr[] = [];
    const collect = (y: LoopExpr): void => {
      if (y.k === 'op' && y.op === op) y.args.forEach(collect);
      else terms.push(order(y));
    };
    collect(x);
    const sorted = terms
      .map(rank)
      .sort((a, b) => a[0] - b[0] || a[1] - b[1] || (printed(a[2]) < printed(b[2]) ? -1 : 1));
    return sorted
      .map(([, , t]) => t)
      .reduce((a, b) => {
        const minus =
          op === 'add' && b.k === 'op' && b.op === 'mul' && b.args[1]!.k === 'const' && b.args[1]!.value === -1;
        return intern(minus ? e.sub<LoadExpr>(a, b.args[0]!) : e[op]<LoadExpr>(a, b));
      });
  };

  // ---- moving
  const isLoop = (d: number): boolean => path[d]!.of?.k === 'for';
  /** The block before the outermost loop that an expression can leave. */
  const targetOf = (x: LoopExpr, depth: number): number | undefined => {
    for (let d = limitOf(x) + 1; d <= depth; d++) if (isLoop(d)) return d - 1;
    return undefined;
  };
  const isWorth = (x: LoopExpr): boolean => {
    if (x.k === 'load') return !registers.has(x.from);
    if (x.k !== 'op' || x.dtype === 'bool' || staysInline(x, kinds)) return false;
    const last = x.args.at(-1)!;
    return !(
      x.dtype === 'i32' &&
      (x.op === 'add' || x.op === 'sub') &&
      (last.k === 'const' || staysInline(last, kinds))
    );
  };
  const hasLoad = (x: LoopExpr): boolean => {
    let found = false;
    eachExpr(x, (y) => {
      found ||= y.k === 'load';
    });
    return found;
  };

  let done: Map<LoopExpr, LoopExpr>[] = [];
  /** Rewrites `x` for use in block `depth`; what can go further out becomes a `let` there. */
  const move = (x: LoopExpr, depth: number, hint: string): LoopExpr => {
    if (x.k === 'const' || x.k === 'var') return x;
    const seen = (done[depth] ??= new Map<LoopExpr, LoopExpr>());
    let out = seen.get(x);
    if (out === undefined) {
      const target = isWorth(x) ? targetOf(x, depth) : undefined;
      out = target === undefined ? moveParts(x, depth, hint) : hoist(x, target, hint);
      seen.set(x, out);
    }
    return out;
  };
  const moveParts = (x: LoopExpr, depth: number, hint: string): LoopExpr =>
    withParts(x, (part) => move(part, depth, x.k === 'load' ? x.from : x.dtype === 'i32' ? hint : ''));
  const hoist = (x: LoopExpr, target: number, hint: string): LoopExpr => {
    const block = path[target]!;
    const known = block.known.get(x);
    if (known) return known;
    const value = moveParts(x, target, hint);
    const name = fresh(x.k === 'load' ? `${x.from}_value` : hint !== '' && x.dtype === 'i32' ? `${hint}_base` : 't');
    block.out.push({ k: 'let', name, value });
    depths.set(name, target);
    const out: LoopExpr = { k: 'var', name, dtype: x.dtype };
    if (!hasLoad(x)) block.known.set(x, out);
    return out;
  };

  const walk = (stmts: readonly Stmt[], of?: Stmt): Stmt[] => {
    const here: Block = { of, out: [], known: new Map() };
    const depth = path.push(here) - 1;
    for (const s of stmts) {
      limits = new Map();
      ordered = new Map();
      done = [];
      const go = (x: LoopExpr, hint = ''): LoopExpr => move(order(intern(x)), depth, hint);
      switch (s.k) {
        case 'let': {
          const value = order(intern(s.value));
          const target = value.dtype === 'bool' ? depth : (targetOf(value, depth) ?? depth);
          path[target]!.out.push({ ...s, value: moveParts(value, target, '') });
          depths.set(s.name, target);
          break;
        }
        case 'store':
          here.out.push({ ...s, at: go(s.at, s.to), value: go(s.value) });
          break;
        case 'alloc':
          depths.set(s.name, depth);
          if (s.memory === 'register') registers.add(s.name);
          here.out.push(s);
          break;
        case 'if': {
          const when = go(s.when);
          here.out.push({ ...s, when, body: walk(s.body, s) });
          break;
        }
        case 'for': {
          const count = go(s.count);
          depths.set(s.name, depth + 1);
          here.out.push({ ...s, count, body: walk(s.body, s) });
          break;
        }
        case 'barrier':
          here.out.push(s);
          break;
        default:
          s satisfies never;
      }
    }
    path.pop();
    return here.out;
  };
  return { ...kernel, body: walk(kernel.body) };
}
