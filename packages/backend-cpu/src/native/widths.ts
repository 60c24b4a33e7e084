/** How many lanes vector loops and private storage have, decided together: a loop and the storage that it walks agree. */
import type { AllocStmt, ForStmt, LoopExpr, Stmt } from '@sinter/compiler';
import { bodyOf, exprsOf } from '@sinter/compiler';
import { widths } from './vectors.ts';

/** The lanes of each register `alloc`, and of each vector loop that walks one; other loops have as many as the target. */
export interface Lanes {
  readonly storage: ReadonlyMap<AllocStmt, number>;
  readonly loops: ReadonlyMap<ForStmt, number>;
}

function mentions(x: LoopExpr, name: string, seen = new Set<LoopExpr>()): boolean {
  if (seen.has(x)) return false;
  seen.add(x);
  if (x.k === 'var') return x.name === name;
  return x.k === 'load' ? mentions(x.at, name, seen) : x.k === 'op' && x.args.some((a) => mentions(a, name, seen));
}

/** Calls `visit` with every load in an expression. */
function eachLoad(x: LoopExpr, visit: (from: string, at: LoopExpr) => void, seen: Set<LoopExpr>): void {
  if (seen.has(x)) return;
  seen.add(x);
  if (x.k === 'load') {
    visit(x.from, x.at);
    eachLoad(x.at, visit, seen);
  } else if (x.k === 'op') x.args.forEach((a) => eachLoad(a, visit, seen));
}

/** The widest vector of at most `most` lanes that fills `count` iterations without a rest; 1 if none does. */
function fitting(count: number, most: number): number {
  return widths.find((n) => n <= most && count > 0 && count % n === 0) ?? 1;
}

/** Decides for a kernel. Loops whose counts are not known do not matter: they do not walk registers. */
export function chooseLanes(body: readonly Stmt[], most: number): Lanes {
  const storage = new Map<AllocStmt, number>();
  const walks: { readonly loop: ForStmt; readonly over: Set<AllocStmt> }[] = [];
  const visit = (block: readonly Stmt[], outer: ReadonlyMap<string, AllocStmt>): void => {
    const seen = new Map(outer);
    for (const s of block) {
      if (s.k === 'alloc' && s.memory === 'register') seen.set(s.name, s);
      if (s.k === 'for' && s.kind === 'vector' && s.count.k === 'const') {
        const over = new Set<AllocStmt>();
        const note = (name: string, at: LoopExpr): void => {
          const alloc = seen.get(name);
          if (alloc && mentions(at, s.name)) over.add(alloc);
        };
        const done = new Set<LoopExpr>();
        for (const inner of s.body) {
          if (inner.k === 'store') note(inner.to, inner.at);
          for (const x of exprsOf(inner)) eachLoad(x, note, done);
        }
        if (over.size > 0) walks.push({ loop: s, over });
      }
      visit(bodyOf(s), seen);
    }
  };
  visit(body, new Map());
  const loops = new Map<ForStmt, number>();
  const settle = (w: (typeof walks)[number], n: number): boolean => {
    const changed = loops.get(w.loop) !== n || [...w.over].some((a) => storage.get(a) !== n);
    loops.set(w.loop, n);
    w.over.forEach((a) => storage.set(a, n));
    return changed;
  };
  for (let changing = true; changing;) {
    changing = false;
    for (const w of walks) {
      const count = w.loop.count.k === 'const' ? w.loop.count.value : 0;
      const n = Math.min(fitting(count, most), ...[...w.over].map((a) => storage.get(a) ?? most));
      if (settle(w, n)) changing = true;
    }
  }
  return { storage, loops };
}
