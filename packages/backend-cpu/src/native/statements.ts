/** Statements of the loop language as C, with vectors in `vector` loops. */
import type { AllocStmt, ForStmt, LetStmt, LoopExpr, Stmt, StoreStmt } from '@sinter/compiler';
import { exprsOf } from '@sinter/compiler';
import { dtypeBytes, isFloat } from '@sinter/ir';
import type { Expressions } from './expressions.ts';
import { bare } from './expressions.ts';
import type { Linear } from './linear.ts';
import { atom, fixed, printLinear } from './linear.ts';
import type { Place, Registers, Scope, Value } from './names.ts';
import { elementType, valueType, vectorType } from './names.ts';
import { widths } from './vectors.ts';
import type { Lanes } from './widths.ts';

/** Vector loops of a constant count are written out up to this many vectors; those over registers always are. */
const writtenOut = 4;

/** Prints statements; `lanes` is what the target has, `chosen` what loops over registers have. */
export function statements(scope: Scope, x: Expressions, lanes: number, chosen: Lanes) {
  function block(body: readonly Stmt[], grid: boolean): void {
    for (const s of body) statement(s, grid);
  }

  function statement(s: Stmt, grid: boolean): void {
    if (s.k !== 'for' || s.kind !== 'unroll') x.begin(exprsOf(s));
    switch (s.k) {
      case 'let':
        scalarLet(s);
        break;
      case 'alloc':
        scope.places.set(s.name, allocate(s));
        break;
      case 'store':
        storeScalar(s);
        break;
      case 'if':
        scope.block(`if (${x.scalarText(s.when)})`, () => block(s.body, false));
        break;
      case 'for':
        loop(s, grid);
        break;
      case 'barrier':
        scope.fail('a CPU kernel has no barrier');
      // falls through
      default:
        s satisfies never;
    }
  }

  /** An integer sum is kept as an index of 64 bits, so that addresses need no conversions. */
  function scalarLet(s: LetStmt): void {
    if (s.value.dtype === 'i32' && s.value.k === 'op' && ['add', 'sub', 'mul'].includes(s.value.op)) {
      const sum = printLinear(x.index(s.value, undefined));
      const c = scope.fresh(s.name);
      scope.line(`const idx ${c} = ${sum};`);
      scope.values.set(s.name, { c, wide: true });
      return;
    }
    const value = x.scalarText(s.value);
    const c = scope.fresh(s.name);
    scope.line(`const ${valueType(s.value.dtype)} ${c} = ${value};`);
    scope.values.set(s.name, { c, wide: false });
  }

  function allocate(s: AllocStmt): Place {
    const name = scope.fresh(s.name);
    if (s.memory !== 'register') {
      scope.line(`${elementType(s.dtype)} ${name}[${Math.max(1, s.length)}] __attribute__((aligned(64)));`);
      return { k: 'memory', c: name, dtype: s.dtype };
    }
    const wide = chosen.storage.get(s) ?? 1;
    const variables = Array.from({ length: Math.ceil(s.length / wide) }, (_, i) => scope.fresh(`${name}_${i}`));
    const type = wide === 1 ? valueType(s.dtype) : vectorType(s.dtype, wide);
    // What is in them does not matter, but C wants it to be something.
    for (const c of variables) scope.line(`${type} ${c} = ${wide === 1 ? '0' : '{0}'};`);
    return { k: 'registers', name: s.name, dtype: s.dtype, lanes: wide, variables };
  }

  // ---- loops
  const constantOf = (c: LoopExpr): number | undefined => (c.k === 'const' ? c.value : undefined);

  function loop(s: ForStmt, grid: boolean): void {
    const count = constantOf(s.count);
    if (count !== undefined && count <= 0) return;
    if (s.kind === 'grid' && grid) gridLoop(s);
    else if (s.kind === 'vector' && s.body.every((inner) => inner.k === 'let' || inner.k === 'store'))
      vectorLoop(s, count);
    else if (count !== undefined && (s.kind === 'unroll' || count === 1)) {
      for (let i = 0; i < count; i++) scope.scoped(() => iteration(s, i));
    } else if (s.kind === 'unroll') scope.fail(`the count of the unrolled loop '${s.name}' is not a constant`);
    else serialLoop(s, '0', countText(s));
  }

  /** The count as a name or a number. */
  function countText(s: ForStmt): string {
    const count = constantOf(s.count);
    if (count !== undefined) return String(count);
    const text = printLinear(x.index(s.count, undefined));
    if (/^\w+$/.test(text)) return text;
    const c = scope.fresh(`${s.name}_count`);
    scope.line(`const idx ${c} = ${text};`);
    return c;
  }

  function iteration(s: ForStmt, counter: Value): void {
    scope.values.set(s.name, counter);
    block(s.body, false);
  }

  function serialLoop(s: ForStmt, from: string, count: string): void {
    const c = scope.fresh(s.name);
    scope.block(`for (idx ${c} = ${from}; ${c} < ${count}; ${c}++)`, () => iteration(s, { c, wide: true }));
  }

  /** Threads take chunks of the iterations. */
  function gridLoop(s: ForStmt): void {
    const count = countText(s);
    const [from, to, c] = ['from', 'to', s.name].map((name) => scope.fresh(name)) as [string, string, string];
    scope.block(`for (idx ${from}, ${to}; take(crew, ${count}, &${from}, &${to});)`, () =>
      scope.block(`for (idx ${c} = ${from}; ${c} < ${to}; ${c}++)`, () => iteration(s, { c, wide: true })),
    );
  }

  function vectorLoop(s: ForStmt, count: number | undefined): void {
    const registers = chosen.loops.get(s);
    if (count === undefined) {
      const end = countText(s);
      const c = scope.fresh(s.name);
      scope.line(`idx ${c} = 0;`);
      scope.block(`for (; ${c} <= ${end} - ${lanes}; ${c} += ${lanes})`, () => chunk(s, atom(c), lanes));
      const rest = scope.attempt(() => {
        let whole = false;
        scope.block(`if (${c} < ${end})`, () => (whole = chunk(s, atom(c), lanes, `${end} - ${c}`)));
        return whole;
      });
      if (!rest) scope.block(`for (; ${c} < ${end}; ${c}++)`, () => iteration(s, { c, wide: true }));
      return;
    }
    const wide = registers ?? lanes;
    let done = 0;
    if (registers === undefined && count / wide > writtenOut) {
      const c = scope.fresh(s.name);
      done = count - (count % wide);
      scope.block(`for (idx ${c} = 0; ${c} < ${done}; ${c} += ${wide})`, () => chunk(s, atom(c), wide));
    }
    for (; wide > 1 && done + wide <= count; done += wide) {
      const first = done;
      scope.scoped(() => chunk(s, fixed(first), wide));
    }
    // The rest as one vector that is not filled; where that cannot be, in ever narrower vectors, and then one by one.
    const rest = count - done;
    const enough = widths.findLast((n) => n >= rest)!;
    if (registers === undefined && rest > 1 && enough !== rest) {
      if (scope.attempt(() => chunk(s, fixed(done), enough, String(rest)))) return;
    }
    for (const n of [...widths.filter((w) => w <= wide), 1]) {
      for (; done + n <= count; done += n) {
        const first = done;
        scope.scoped(() => (n === 1 ? iteration(s, first) : chunk(s, fixed(first), n)));
      }
    }
  }

  /** `n` iterations of a vector loop at once, or `rest` of them; false if those are not neighbours in memory. */
  function chunk(s: ForStmt, first: Linear, n: number, rest?: string): boolean {
    const written = new Set(s.body.flatMap((inner) => (inner.k === 'store' ? [inner.to] : [])));
    const loop = { counter: s.name, lanes: n, first, rest, scattered: false, lets: new Map(), varies: new Map() };
    scope.vector = loop;
    for (const inner of s.body) {
      x.begin(exprsOf(inner));
      if (inner.k === 'let') vectorLet(inner, written);
      else if (inner.k === 'store') storeVector(inner);
    }
    scope.vector = undefined;
    return !loop.scattered;
  }

  function vectorLet(s: LetStmt, written: ReadonlySet<string>): void {
    const loop = scope.vector!;
    if (!x.varies(s.value)) return scalarLet(s);
    const value = x.vectorText(s.value);
    const c = scope.fresh(s.name);
    scope.line(`const ${vectorType(s.value.dtype, loop.lanes)} ${c} = ${value};`);
    loop.lets.set(s.name, {
      c,
      value: s.value,
      loads: loadsFrom(s.value, written, (name) => loop.lets.get(name)?.loads ?? false),
    });
    loop.varies.clear();
  }

  // ---- stores
  /** What a value becomes in storage: 16-bit floats lose digits. */
  const rounded = (to: Registers, value: string, n = 1): string =>
    isFloat(to.dtype) && dtypeBytes[to.dtype] === 2
      ? `round_${to.dtype}${n === 1 ? '' : `x${n}`}(${bare(value)})`
      : bare(value);

  function writeElement(to: Place, at: LoopExpr, value: string, lane?: number): void {
    const target = x.element(to, at, lane);
    if (to.k === 'registers')
      scope.line(`${target} = ${to.dtype === 'bool' && to.lanes > 1 ? `-${value}` : rounded(to, value)};`);
    else
      scope.line(
        `${target} = ${to.dtype === 'f16' || to.dtype === 'bf16' ? `${to.dtype}_f32(${bare(value)})` : bare(value)};`,
      );
  }

  function storeScalar(s: StoreStmt): void {
    writeElement(x.place(s.to), s.at, x.scalar(s.value));
  }

  function storeVector(s: StoreStmt): void {
    const to = x.place(s.to);
    const at = x.form(s.at, 'all');
    const n = scope.vector!.lanes;
    if (to.k === 'registers') {
      const variable = x.wholeVariable(to, at);
      if (variable !== undefined) {
        scope.line(`${variable} = ${rounded(to, x.vector(s.value), n)};`);
        return;
      }
    } else if (at?.stride === 1) {
      const { rest } = scope.vector!;
      const [which, address, value] = [`${to.dtype}x${n}`, `${to.c} + ${printLinear(at)}`, x.vectorText(s.value)];
      scope.line(
        rest === undefined
          ? `store_${which}(${address}, ${value});`
          : `store_first_${which}(${address}, ${value}, ${rest});`,
      );
      return;
    }
    const values = Array.from({ length: n }, (_, lane) => x.laneOf(s.value, lane));
    values.forEach((value, lane) => writeElement(to, s.at, value, lane));
  }

  return { block };
}

/** Whether an expression reads what the loop writes, itself or through a name. */
function loadsFrom(
  x: LoopExpr,
  written: ReadonlySet<string>,
  through: (name: string) => boolean,
  seen = new Set<LoopExpr>(),
): boolean {
  if (seen.has(x)) return false;
  seen.add(x);
  if (x.k === 'var') return through(x.name);
  if (x.k === 'load') return written.has(x.from) || loadsFrom(x.at, written, through, seen);
  return x.k === 'op' && x.args.some((a) => loadsFrom(a, written, through, seen));
}
