/** Random kernels and their data: legal ones that use much of the loop language, for backends that are held against the interpreter. */
import type { LoopExpr, Stmt } from '@sinter/compiler';
import { load, loop, store } from '@sinter/compiler';
import type { Data, DType } from '@sinter/ir';
import { constantExpr as c, dataFrom, e, variable } from '@sinter/ir';

const size = 64;
/** What kernels read: `size` elements each. */
export const inputs = {
  x: 'f32',
  y: 'f32',
  ints: 'i32',
  words: 'u32',
  bytes: 'u8',
  small: 'i8',
  flags: 'bool',
} as const satisfies Record<string, DType>;
/** What kernels write, and read. */
export const outputs = { of: 'f32', oi: 'i32', ow: 'u32', ob: 'u8', om: 'bool' } as const satisfies Record<
  string,
  DType
>;
const types = ['f32', 'i32', 'u32', 'u8', 'bool'] as const;
type Type = (typeof types)[number];

/** Draws numbers below a bound: from fast-check, so that failures shrink. */
export type Draw = (below: number) => number;
interface Index {
  readonly name: string;
  readonly max: number;
}
interface Scope {
  readonly counters: readonly Index[];
  readonly lets: { readonly name: string; readonly dtype: Type }[];
  readonly registers: { readonly name: string; readonly dtype: 'f32' | 'i32'; readonly length: number }[];
  readonly locals: { readonly name: string }[];
  /** Indices that were used: used again, they make equal loads and stores that touch them. */ readonly recent: LoopExpr[];
  /** In a vector loop: its counter, and the outputs that are stored to, with their one index. */
  readonly vector?: { readonly counter: Index; readonly at: LoopExpr; readonly stored: Set<string> };
}

/** The body of a random kernel over {@link inputs}, {@link outputs} and the size `n` (at most 9). */
export function randomBody(draw: Draw): Stmt[] {
  let names = 0;
  let budget = 60;
  const fresh = (prefix: string): string => `${prefix}${names++}`;
  const pick = <T>(items: readonly T[]): T => items[draw(items.length)]!;

  /** An index below `size`: linear in some counters, reversed, divided, or loaded. */
  function index(scope: Scope): LoopExpr {
    if (scope.recent.length && draw(2)) return pick(scope.recent);
    const at = newIndex(scope);
    scope.recent.push(at);
    return at;
  }
  function newIndex(scope: Scope): LoopExpr {
    if (draw(8) === 0) return load('ints', linear(scope), 'i32');
    const at = linear(scope);
    switch (draw(8)) {
      case 0:
        return e.sub(c(size - 1), at);
      case 1:
        return e.div(at, c(1 + draw(5)));
      case 2:
        return e.mod(at, c(1 + draw(9)));
      case 3:
        return e.min(at, c(draw(size)));
      default:
        return at;
    }
  }
  function linear(scope: Scope): LoopExpr {
    let left = size - 1;
    let sum: LoopExpr | undefined;
    for (const counter of scope.counters) {
      if (draw(3) === 0) continue;
      const factor = pick([1, 1, 1, 2, 4, 8]);
      if (factor * counter.max > left) continue;
      left -= factor * counter.max;
      const term = factor === 1 ? variable(counter.name) : e.mul(variable(counter.name), c(factor));
      sum = sum ? e.add(sum, term) : term;
    }
    const offset = c(draw(left + 1));
    return sum ? (draw(2) ? e.add(sum, offset) : e.add(offset, sum)) : offset;
  }

  function leaf(type: Type, scope: Scope): LoopExpr {
    const named = scope.lets.filter((l) => l.dtype === type);
    if (named.length && draw(2)) {
      const l = pick(named);
      return variable(l.name, l.dtype);
    }
    const kept = scope.registers.filter((r) => r.dtype === type);
    if (kept.length && draw(2)) {
      const r = pick(kept);
      return load(r.name, c(draw(r.length)), r.dtype);
    }
    if (type === 'f32' && scope.locals.length && draw(3) === 0)
      return load(pick(scope.locals).name, e.mod(index(scope), c(16)), 'f32');
    const own = (Object.keys(outputs) as (keyof typeof outputs)[]).filter((o) => outputs[o] === type);
    if (own.length && draw(3) === 0) {
      const from = own[0]!;
      if (!scope.vector) return load(from, index(scope), type);
      return load(from, scope.vector.at, type);
    }
    if (type === 'i32' && scope.counters.length && draw(2)) return variable(pick(scope.counters).name);
    if (draw(3) === 0)
      return c(
        type === 'bool' ? draw(2) : type === 'f32' ? pick([0, 1, -1, 0.5, 3.25, -7]) : pick([0, 1, 2, 3, 5, 255]),
        type,
      );
    switch (type) {
      case 'f32':
        return load(pick(['x', 'y']), index(scope), 'f32');
      case 'i32':
        return load('ints', index(scope), 'i32');
      case 'u32':
        return load('words', index(scope), 'u32');
      case 'u8':
        return load('bytes', index(scope), 'u8');
      case 'bool':
        return load('flags', index(scope), 'bool');
      default:
        return type satisfies never;
    }
  }

  function expression(type: Type, scope: Scope, depth: number): LoopExpr {
    if (depth === 0 || draw(5) === 0) return leaf(type, scope);
    const of = (t: Type): LoopExpr => expression(t, scope, depth - 1);
    if (draw(6) === 0) return e.select(of('bool'), of(type), of(type));
    switch (type) {
      case 'bool': {
        const t = pick(types);
        switch (draw(5)) {
          case 0:
            return e.lt(of(t), of(t));
          case 1:
            return e.le(of(t), of(t));
          case 2:
            return e.eq(of(t), of(t));
          case 3:
            return e.and(of('bool'), of('bool'));
          default:
            return e.not(of('bool'));
        }
      }
      case 'f32':
        if (draw(5) === 0) return e.cast(of(pick(types)), 'f32');
        if (draw(5) === 0) return pick([e.neg, e.abs, e.floor, e.round, e.sqrt])(of('f32'));
        return pick([e.add, e.sub, e.mul, e.div, e.min, e.max, e.mod])(of('f32'), of('f32'));
      default:
        if (draw(4) === 0) return e.cast(of(pick(types)), type);
        if (draw(6) === 0) return draw(2) ? e.shl(of(type), c(draw(8), type)) : e.shr(of(type), of(type));
        if (type === 'u32' && draw(6) === 0) return e.mulhi(of('u32'), of('u32'));
        return pick([e.add, e.sub, e.mul, e.div, e.mod, e.min, e.max, e.and, e.or, e.xor])(of(type), of(type));
    }
  }

  function storeOutput(scope: Scope): Stmt | undefined {
    const to = pick(Object.keys(outputs) as (keyof typeof outputs)[]);
    const type = outputs[to];
    if (!scope.vector) return store(to, index(scope), expression(type, scope, 3));
    if (scope.vector.stored.has(to)) return undefined;
    scope.vector.stored.add(to);
    return store(to, scope.vector.at, expression(type, scope, 3));
  }

  function vectorLoop(scope: Scope): Stmt {
    const known = draw(2) === 0;
    const max = known ? pick([1, 3, 4, 5, 8, 12, 16, 20]) : 9;
    const count = known ? c(max) : variable('n');
    const counter: Index = { name: fresh('v'), max: Math.max(max - 1, 0) };
    return loop('vector', counter.name, count, () => {
      const factor = pick([1, 1, 1, 2, 3]);
      const offset = draw(size - factor * counter.max);
      const at = e.add(e.mul(variable(counter.name), c(factor)), c(offset));
      const inner: Scope = {
        ...scope,
        counters: [...scope.counters, counter],
        lets: [...scope.lets],
        recent: [...scope.recent],
        vector: { counter, at, stored: new Set() },
      };
      return body(inner, 1 + draw(4), 0);
    });
  }

  function registerTile(scope: Scope): Stmt[] {
    const name = fresh('r');
    const length = pick([4, 8, 12]);
    const all = (at: (i: LoopExpr) => LoopExpr): Stmt => {
      const v = fresh('v');
      return loop('vector', v, c(length), (i) => [store(name, i, at(i))]);
    };
    const s = fresh('s');
    const own = inside(scope);
    scope.registers.push({ name, dtype: 'f32', length });
    return [
      { k: 'alloc', name, dtype: 'f32', length, memory: 'register' },
      all((i) => load('x', e.add(i, c(draw(40))), 'f32')),
      loop('serial', s, c(1 + draw(4)), (k) => [
        all((i) =>
          e.add(load(name, i, 'f32'), e.mul(load('y', e.add(i, e.mul(k, c(8))), 'f32'), expression('f32', own, 1))),
        ),
        store(name, c(draw(length)), expression('f32', own, 2)),
      ]),
      loop('vector', fresh('v'), c(length), (i) => [store('of', e.add(i, c(draw(40))), load(name, i, 'f32'))]),
    ];
  }

  function statement(scope: Scope, depth: number): Stmt[] {
    budget--;
    const nested = depth > 0 && !scope.vector && budget > 0;
    const kind = draw(nested ? 10 : 3);
    switch (kind) {
      case 0: {
        const [name, dtype] = [fresh('t'), pick(types)];
        const value = expression(dtype, scope, 3);
        scope.lets.push({ name, dtype });
        return [{ k: 'let', name, value }];
      }
      case 1:
      case 2: {
        const s = storeOutput(scope);
        return s ? [s] : [];
      }
      case 3:
      case 4:
        return [vectorLoop(scope)];
      case 5:
      case 6: {
        const unrolled = draw(2) === 0;
        const max = 1 + draw(5);
        const counter = { name: fresh('i'), max: unrolled ? max - 1 : 8 };
        const count = unrolled ? c(max) : draw(2) ? variable('n') : e.min(variable('n'), c(max));
        return [
          loop(unrolled ? 'unroll' : 'serial', counter.name, count, () =>
            body(inside(scope, counter), 1 + draw(3), depth - 1),
          ),
        ];
      }
      case 7:
        return [{ k: 'if', when: expression('bool', scope, 2), body: body(inside(scope), 1 + draw(3), depth - 1) }];
      case 8:
        return registerTile(scope);
      default: {
        const dtype = pick(['f32', 'i32'] as const);
        if (draw(2)) {
          const name = fresh('l');
          const fill = loop('serial', fresh('i'), c(16), (i) => [store(name, i, load('x', i, 'f32'))]);
          scope.locals.push({ name });
          return [
            { k: 'alloc', name, dtype: 'f32', length: 16, memory: 'local' },
            fill,
            store(name, e.mod(index(scope), c(16)), expression('f32', scope, 2)),
          ];
        }
        const name = fresh('r');
        const first = store(name, c(0), expression(dtype, scope, 2));
        scope.registers.push({ name, dtype, length: 1 });
        return [
          { k: 'alloc', name, dtype, length: 1, memory: 'register' },
          first,
          loop('serial', fresh('i'), variable('n'), () => [store(name, c(0), expression(dtype, inside(scope), 2))]),
        ];
      }
    }
  }

  const inside = (scope: Scope, counter?: Index): Scope => ({
    counters: counter ? [...scope.counters, counter] : scope.counters,
    lets: [...scope.lets],
    registers: [...scope.registers],
    locals: [...scope.locals],
    recent: [...scope.recent],
  });
  function body(scope: Scope, count: number, depth: number): Stmt[] {
    return Array.from({ length: count }, () => statement(scope, depth)).flat();
  }

  const scope: Scope = { counters: [], lets: [], registers: [], locals: [], recent: [] };
  if (draw(3) > 0) return body(scope, 3, 3);
  return [loop('grid', 'g', variable('n'), () => body(inside(scope, { name: 'g', max: 8 }), 3, 2))];
}

/** Fresh data of all buffers. */
export function randomData(): Record<string, Data> {
  const values = (f: (i: number) => number): number[] => Array.from({ length: size }, (_, i) => f(i));
  return {
    x: dataFrom(
      'f32',
      values((i) => ((i * 7919) % 101) / 8 - 6),
    ),
    y: dataFrom(
      'f32',
      values((i) => ((i * 104729) % 103) / 16 - 3),
    ),
    ints: dataFrom(
      'i32',
      values((i) => (i * 37) % size),
    ),
    words: dataFrom(
      'u32',
      values((i) => (i * 2654435761) % 4294967296),
    ),
    bytes: dataFrom(
      'u8',
      values((i) => (i * 91) % 256),
    ),
    small: dataFrom(
      'i8',
      values((i) => ((i * 91) % 256) - 128),
    ),
    flags: dataFrom(
      'bool',
      values((i) => Number(i % 3 === 0)),
    ),
    of: dataFrom(
      'f32',
      values((i) => i / 4),
    ),
    oi: dataFrom(
      'i32',
      values((i) => i - 9),
    ),
    ow: dataFrom(
      'u32',
      values((i) => i * 99),
    ),
    ob: dataFrom(
      'u8',
      values((i) => i),
    ),
    om: dataFrom(
      'bool',
      values((i) => i & 1),
    ),
  };
}

/** Zeros of either sign are equal: the interpreter's integers can be −0, which only a later cast shows. */
export const same = (a: ArrayLike<number>, b: ArrayLike<number>): boolean =>
  Array.prototype.every.call(a, (x: number, i) => x === b[i] || Object.is(x, b[i]));
