/** Computes once what a block computes twice: common sub-expressions become `let`s at their first use. */
import type { Kernel, LoopExpr, Stmt } from './language.ts';
import { exprsOf } from './language.ts';
import { counterKinds, namer, staysInline } from './simplify.ts';
import { eachExpr, eachStmt, exprKey, partsOf, withExprs, withParts } from './walk.ts';

/**
 * Names values that are used more than once, and drops `let`s that nothing uses. A load is the same value until its
 * buffer is written. Names must be unique.
 */
export function shareValues(kernel: Kernel): Kernel {
  const fresh = namer(kernel);
  const kinds = counterKinds(kernel);
  const registers = new Set<string>();
  eachStmt(kernel.body, (s) => {
    if (s.k === 'alloc' && s.memory === 'register') registers.add(s.name);
  });
  const numbered = numberValues(kernel);

  const isShared = (x: LoopExpr): boolean => {
    if (x.k === 'load') return !registers.has(x.from);
    if (x.k !== 'op' || x.dtype === 'bool' || staysInline(x, kinds)) return false;
    const last = x.args.at(-1)!;
    return !(
      x.dtype === 'i32' &&
      (x.op === 'add' || x.op === 'sub') &&
      (last.k === 'const' || staysInline(last, kinds))
    );
  };

  const walk = (stmts: readonly Stmt[], visible: ReadonlyMap<LoopExpr, LoopExpr>): Stmt[] => {
    // How often each value is used by the block; what will not be named counts again wherever it stands.
    const uses = new Map<LoopExpr, number>();
    const count = (x: LoopExpr): void => {
      const n = uses.get(x) ?? 0;
      uses.set(x, n + 1);
      if (n === 0 || !isShared(x)) partsOf(x).forEach(count);
    };
    eachStmt(stmts, (s) => {
      exprsOf(s).forEach(count);
    });

    const names = new Map(visible);
    const out: Stmt[] = [];
    const emit = (x: LoopExpr): LoopExpr => {
      const known = names.get(x);
      if (known) return known;
      const value = withParts(x, emit);
      if (!isShared(x) || uses.get(x)! < 2) return value;
      const name = fresh(x.k === 'load' ? `${x.from}_value` : 't');
      out.push({ k: 'let', name, value });
      const named: LoopExpr = { k: 'var', name, dtype: x.dtype };
      names.set(x, named);
      return named;
    };
    for (const s of stmts) {
      if (s.k === 'let') {
        const known = names.get(s.value);
        out.push({ ...s, value: known ?? withParts(s.value, emit) });
        if (!known && isShared(s.value)) names.set(s.value, { k: 'var', name: s.name, dtype: s.value.dtype });
      } else out.push(withExprs(s, emit, (body) => walk(body, names)));
    }
    return out;
  };
  return dropUnused({ ...kernel, body: walk(numbered, new Map()) });
}

/** The body of a kernel in which two expressions are the same object exactly when they have the same value. */
function numberValues(kernel: Kernel): readonly Stmt[] {
  const table = new Map<string, LoopExpr>();
  const ids = new Map<LoopExpr, number>();
  const readOnly = new Set(kernel.buffers.flatMap((b) => (b.access === 'read' ? [b.name] : [])));
  const versions = new Map<string, number>();
  let time = 0;
  const written = (block: readonly Stmt[]): void =>
    eachStmt(block, (s) => {
      if (s.k === 'store') versions.set(s.to, ++time);
      else if (s.k === 'barrier') for (const name of versions.keys()) versions.set(name, ++time);
    });
  for (const b of kernel.buffers) if (!readOnly.has(b.name)) versions.set(b.name, 0);
  eachStmt(kernel.body, (s) => {
    if (s.k === 'alloc') versions.set(s.name, 0);
  });

  const block = (stmts: readonly Stmt[]): Stmt[] =>
    stmts.map((s) => {
      const seen = new Map<LoopExpr, LoopExpr>();
      const number = (x: LoopExpr): LoopExpr => {
        let out = seen.get(x);
        if (out) return out;
        const y = withParts(x, number);
        const inner = partsOf(y)
          .map((p) => ids.get(p))
          .join();
        const key = exprKey(y, inner, y.k === 'load' ? `${y.from}@${versions.get(y.from) ?? 0}` : undefined);
        out = table.get(key);
        if (!out) {
          // A new object even where nothing changed: the same expression may stand on both sides of a store.
          table.set(key, (out = { ...y }));
          ids.set(out, ids.size);
        }
        seen.set(x, out);
        return out;
      };
      // The body of a loop starts after any of its iterations, and what follows a block after any of it.
      const inside = (body: readonly Stmt[]): Stmt[] => {
        if (s.k === 'for') written(body);
        const out = block(body);
        written(body);
        return out;
      };
      const out = withExprs(s, number, inside);
      if (s.k === 'store' || s.k === 'barrier') written([s]);
      return out;
    });
  return block(kernel.body);
}

/** Drops `let`s that nothing uses, and loops and conditions that do nothing. */
function dropUnused(kernel: Kernel): Kernel {
  const used = new Set<string>();
  const seen = new Set<LoopExpr>();
  const block = (stmts: readonly Stmt[]): Stmt[] => {
    const out: Stmt[] = [];
    for (const s of [...stmts].reverse()) {
      if (s.k === 'let' && !used.has(s.name)) continue;
      const kept = s.k === 'for' || s.k === 'if' ? { ...s, body: block(s.body) } : s;
      if ((kept.k === 'for' || kept.k === 'if') && kept.body.length === 0) continue;
      for (const x of exprsOf(s))
        eachExpr(
          x,
          (y) => {
            if (y.k === 'var') used.add(y.name);
          },
          seen,
        );
      out.push(kept);
    }
    return out.reverse();
  };
  return { ...kernel, body: block(kernel.body) };
}
