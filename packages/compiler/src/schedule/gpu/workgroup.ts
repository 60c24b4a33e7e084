/** The form of a GPU kernel: a grid of workgroups, each of so many threads. */
import type { ForStmt, LoopExpr, Stmt } from '../../loop/language.ts';
import type { Target } from '../../target.ts';
import type { Draft } from '../draft.ts';
import { ix, local, loop, v } from '../draft.ts';

/** The largest power of two that is not above `n`, at least 1. */
export const powerBelow = (n: number): number => 2 ** Math.max(0, Math.floor(Math.log2(n)));
/** The least power of two that is not below `n`, at least 1. */
export const powerAbove = (n: number): number => 2 ** Math.max(0, Math.ceil(Math.log2(n)));

/** The threads of a workgroup where nothing else decides. An emulated GPU has few threads, and each workgroup costs. */
export function usualThreads(target: Target): number {
  return powerBelow(Math.min(target.maxWorkgroup, target.software ? 64 : 256));
}

/** A kernel of `groups` workgroups (counter `g`) of `threads` threads (counter `l`); `shared` is the storage that they share. */
export function workgroups(
  groups: LoopExpr,
  threads: number,
  body: readonly Stmt[],
  shared: readonly Stmt[] = [],
): ForStmt {
  return loop('grid', 'g', groups, () => [...shared, loop('local', 'l', ix.int(threads), () => body)]);
}

/** Workgroups that there should be before a thread takes more than one element. */
const busy = 64;

/**
 * One thread for every element or every few of them: neighbouring threads take neighbouring elements, so that what they read
 * at a time lies side by side. `body` sees the element as `name`, which counts to `total`.
 */
export function eachElement(
  d: Draft,
  target: Target,
  name: string,
  total: LoopExpr,
  body: readonly Stmt[],
  most = target.software ? 16 : 4,
): Stmt[] {
  const size = d.fixed(total);
  if (size === 1) return [{ k: 'let', name: local(name), value: ix.int(0) }, ...body];
  const threads = Math.min(usualThreads(target), powerAbove(size ?? Infinity));
  const each = size === undefined ? most : Math.max(1, Math.min(most, Math.floor(size / (busy * threads))));
  const block = threads * each;
  const guarded = size !== undefined && size % block === 0 ? body : [below(v(name), total, body)];
  const at = (i: LoopExpr): Stmt => ({
    k: 'let',
    name: local(name),
    value: ix.add(ix.mul(v('g'), ix.int(block)), ix.add(ix.mul(i, ix.int(threads)), v('l'))),
  });
  return [
    workgroups(
      ix.ceilDiv(total, block),
      threads,
      each === 1 ? [at(ix.int(0)), ...guarded] : [loop('serial', 'i', ix.int(each), (i) => [at(i), ...guarded])],
    ),
  ];
}

/** Runs `body` where `x < end`. */
export function below(x: LoopExpr, end: LoopExpr, body: readonly Stmt[]): Stmt {
  return { k: 'if', when: ix.lt(x, end), body };
}
