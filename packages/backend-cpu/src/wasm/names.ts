/** What the names in a kernel stand for while it is emitted: values, memory and registers. */
import type { LoopExpr, Stmt } from '@sinter/compiler';
import { bodyOf, exprsOf } from '@sinter/compiler';
import type { DType } from '@sinter/ir';
import type { Linear } from './linear.ts';
import type { Block, Builder, Node } from './nodes.ts';
import { lanes } from './simd.ts';

/**
 * A buffer or private array in memory. `version` counts its writes: two loads are equal only
 * between two of them. `id` is its own even where unrolled code allocates the same name again.
 */
export interface Memory {
  readonly k: 'memory';
  readonly id: string;
  readonly dtype: DType;
  readonly base: Node;
  readonly offset: number;
  version: number;
}

/** A private array in locals, one for each element or one vector for each four. `current` is what each local holds now. */
export interface Registers {
  readonly k: 'registers';
  readonly name: string;
  readonly dtype: DType;
  readonly wide: boolean;
  readonly locals: readonly number[];
  readonly current: Node[];
}

/** A place that expressions load from and stores write to. */
export type Place = Memory | Registers;

/** A `let` of a vector loop whose value differs between lanes. `loads`: its value may have changed if computed again. */
export interface Varying {
  readonly vector: Node;
  readonly value: LoopExpr;
  readonly loads: boolean;
}

/** An integer `let` as a sum, and the block that computes it: inside of that block indices see through the name. */
export interface Form {
  readonly sum: Linear;
  readonly block: Block;
}

/** The vector loop around: lane `l` is the iteration `first + l`. */
export interface VectorLoop {
  readonly counter: string;
  readonly first: Node;
  readonly lets: Map<string, Varying>;
  readonly varies: Map<LoopExpr, boolean>;
}

/** Forgets what a place holds, because it has been or may have been written. */
export function forget(b: Builder, place: Place): void {
  if (place.k === 'memory') place.version++;
  else
    place.locals.forEach((_, i) => {
      renew(b, place, i);
    });
}

/** A local of registers holds something else from here on. */
export function renew(b: Builder, registers: Registers, i: number): void {
  const before = registers.current[i];
  if (before) before.stale = true;
  registers.current[i] = b.get(registers.locals[i]!, true);
}

const writes = new WeakMap<readonly Stmt[], ReadonlySet<string>>();

/** The names that statements store to. */
export function written(body: readonly Stmt[]): ReadonlySet<string> {
  let known = writes.get(body);
  if (!known) {
    known = new Set(body.flatMap((s) => (s.k === 'store' ? [s.to] : [...written(bodyOf(s))])));
    writes.set(body, known);
  }
  return known;
}

/** The loops that remain loops and stand directly in statements. */
export function loopsIn(body: readonly Stmt[]): number {
  return body.reduce((sum, s) => {
    if (s.k === 'if') return sum + loopsIn(s.body);
    if (s.k !== 'for') return sum;
    return sum + (isExpanded(s) ? loopsIn(s.body) : 1);
  }, 0);
}

/** Vector loops up to this many iterations become straight-line code. */
export const expandedLanes = 16;

/** Whether a loop is written out. */
export function isExpanded(s: Extract<Stmt, { k: 'for' }>): boolean {
  const count = s.count.k === 'const' ? s.count.value : undefined;
  return count !== undefined && (s.kind === 'unroll' || count <= 1 || (s.kind === 'vector' && count <= expandedLanes));
}

/** Visits every load in an expression once. */
export function eachLoad(
  x: LoopExpr,
  visit: (load: Extract<LoopExpr, { k: 'load' }>) => void,
  seen = new Set<LoopExpr>(),
): void {
  if (seen.has(x)) return;
  seen.add(x);
  if (x.k === 'load') {
    visit(x);
    eachLoad(x.at, visit, seen);
  } else if (x.k === 'op') x.args.forEach((a) => eachLoad(a, visit, seen));
}

/** Whether an expression mentions a variable. */
export function mentions(x: LoopExpr, name: string, seen = new Map<LoopExpr, boolean>()): boolean {
  const known = seen.get(x);
  if (known !== undefined) return known;
  const out =
    x.k === 'var'
      ? x.name === name
      : x.k === 'load'
        ? mentions(x.at, name, seen)
        : x.k === 'op' && x.args.some((a) => mentions(a, name, seen));
  seen.set(x, out);
  return out;
}

/** Whether an expression uses a name of which `loads` holds. */
export function dependsOnLoads(x: LoopExpr, loads: (name: string) => boolean, seen = new Set<LoopExpr>()): boolean {
  if (seen.has(x)) return false;
  seen.add(x);
  if (x.k === 'var') return loads(x.name);
  return x.k === 'op' && x.args.some((a) => dependsOnLoads(a, loads, seen));
}

const wideCount = (s: Extract<Stmt, { k: 'for' }>): boolean =>
  s.kind === 'vector' && !(s.count.k === 'const' && s.count.value < lanes);

/** Whether a statement itself reads or writes an array at an index with the counter of a vector loop. */
export function touchesInLanes(s: Stmt, name: string, counter: string): boolean {
  let found = s.k === 'store' && s.to === name && mentions(s.at, counter);
  for (const e of exprsOf(s))
    eachLoad(e, (l) => {
      found ||= l.from === name && mentions(l.at, counter);
    });
  return found;
}

/** The same for a statement with all that is inside of it; only vector loops with at least one full vector count. */
export function usedInLanes(s: Stmt, name: string, counter: string | undefined): boolean {
  if (counter !== undefined && touchesInLanes(s, name, counter)) return true;
  const inner = s.k === 'for' && wideCount(s) ? s.name : counter;
  return bodyOf(s).some((c) => usedInLanes(c, name, inner));
}
