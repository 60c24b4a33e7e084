/** The ways to walk kernels that every tool of the loop language shares. */
import type { LoopExpr, Stmt } from './language.ts';
import { exprsOf } from './language.ts';

/** The expressions directly inside of an expression: operands, or the index of a load. */
export function partsOf(x: LoopExpr): readonly LoopExpr[] {
  return x.k === 'op' ? x.args : x.k === 'load' ? [x.at] : [];
}

/** Calls `visit` once for every distinct expression inside of `x`, operands first; `seen` spans several calls. */
export function eachExpr(x: LoopExpr, visit: (x: LoopExpr) => void, seen = new Set<LoopExpr>()): void {
  if (seen.has(x)) return;
  seen.add(x);
  for (const part of partsOf(x)) eachExpr(part, visit, seen);
  visit(x);
}

/** Calls `visit` for every statement of a block and of the blocks inside of it, outermost first. */
export function eachStmt(block: readonly Stmt[], visit: (s: Stmt) => void): void {
  for (const s of block) {
    visit(s);
    if (s.k === 'for' || s.k === 'if') eachStmt(s.body, visit);
  }
}

/** An expression with its direct parts replaced; itself where nothing changes. */
export function withParts(x: LoopExpr, part: (x: LoopExpr) => LoopExpr): LoopExpr {
  if (x.k === 'op') {
    const args = x.args.map(part);
    return args.every((a, i) => a === x.args[i]) ? x : { ...x, args };
  }
  if (x.k !== 'load') return x;
  const at = part(x.at);
  return at === x.at ? x : { ...x, at };
}

/** A statement with its own expressions and its body replaced. */
export function withExprs(
  s: Stmt,
  expr: (x: LoopExpr) => LoopExpr,
  body: (block: readonly Stmt[]) => readonly Stmt[],
): Stmt {
  switch (s.k) {
    case 'for':
      return { ...s, count: expr(s.count), body: body(s.body) };
    case 'if':
      return { ...s, when: expr(s.when), body: body(s.body) };
    case 'let':
      return { ...s, value: expr(s.value) };
    case 'store':
      return { ...s, at: expr(s.at), value: expr(s.value) };
    case 'alloc':
    case 'barrier':
      return s;
    default:
      return s satisfies never;
  }
}

/** A block with every expression replaced, in the blocks inside of it too. */
export function mapExprs(block: readonly Stmt[], expr: (x: LoopExpr) => LoopExpr): Stmt[] {
  return block.map((s) => withExprs(s, expr, (body) => mapExprs(body, expr)));
}

/** Calls `visit` once for every distinct expression of a block. */
export function eachExprOf(block: readonly Stmt[], visit: (x: LoopExpr) => void): void {
  const seen = new Set<LoopExpr>();
  eachStmt(block, (s) => {
    for (const x of exprsOf(s)) eachExpr(x, visit, seen);
  });
}

/**
 * A text that is equal for equal expressions, given one for the parts; `from` is what a load reads, for those to whom two
 * loads of one name are not the same.
 */
export function exprKey(x: LoopExpr, parts: string, from = x.k === 'load' ? x.from : ''): string {
  switch (x.k) {
    case 'const':
      return `${x.dtype} ${Object.is(x.value, -0) ? '-0' : x.value}`;
    case 'var':
      return `v${x.name}`;
    case 'load':
      return `l${from}[${parts}]`;
    case 'op':
      return `${x.op} ${x.dtype}(${parts})`;
    default:
      return x satisfies never;
  }
}

/** Whether a body has a variable of a name. */
export function usesName(body: readonly Stmt[], name: string): boolean {
  let used = false;
  eachExprOf(body, (x) => {
    used ||= x.k === 'var' && x.name === name;
  });
  return used;
}
