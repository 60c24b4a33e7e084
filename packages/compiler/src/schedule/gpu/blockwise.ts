/**
 * Kernels that read contractions which are never stored: a thread takes a row of the matrix of scores and walks along its columns, a few at a
 * time, with what it knows of the row in registers. Neighbouring threads read the same columns; nothing is shared, nobody waits.
 */
import type { Expr, Tensor } from '@sinter/ir';
import { constantExpr, e, flatIndex, sameShape } from '@sinter/ir';
import type { Group } from '../../fuse/group.ts';
import type { LoadExpr, LoopExpr, Stmt } from '../../loop/language.ts';
import { load, store } from '../../loop/language.ts';
import type { Draft, ScheduleContext, Scheduled } from '../draft.ts';
import { draft, ix, kernelName, local, loop, operations, replace, storeAll, v } from '../draft.ts';
import { counters, productOf, size } from '../product.ts';
import { combine, initial, levels } from '../reduction.ts';
import type { Matrix } from '../transient.ts';
import { matrixOf, matrixReadBy, productIn, transientsOf } from '../transient.ts';
import { below, eachElement } from './workgroup.ts';

/** The columns of a matrix, as a contraction that reads it counts them. */
const column = counters.k;
/** Results that a thread adds up in registers, over all columns that it takes at a time. */
const registers = 128;

/** How the transient contractions of a kernel are computed. */
interface Scores {
  /** The value of a transient contraction where the kernel stands. */
  readonly held: (t: Tensor) => LoopExpr | undefined;
  /** Walks the columns of the row. `body` makes the statements of one: `at` puts an expression there, `exists` tells whether it is there. */
  readonly walk: (
    d: Draft,
    atATime: number,
    body: (at: (x: LoopExpr) => LoopExpr, exists: LoopExpr) => readonly Stmt[],
  ) => Stmt;
  /** Floating-point operations of one score of each. */
  readonly work: number;
}

function scoresIn(ctx: ScheduleContext, group: Group, matrix: Matrix): Scores {
  const all = transientsOf(ctx, group).map((t, i) => ({
    t,
    p: productIn(matrix, t),
    name: `score${i}`,
    depth: v(`depth${i}`),
  }));
  const columns = size(matrix.n);
  return {
    held: (x) => {
      const found = all.find(({ t }) => t === x);
      return found && v(found.name, x.dtype);
    },
    walk(d, atATime, body) {
      const here = (j: number): LoopExpr => ix.add(v('first'), ix.int(j));
      const last = ix.sub(columns, ix.int(1));
      const numbers = Array.from({ length: atATime }, (_, j) => j);
      const products = all.flatMap(({ t, p, name, depth }): Stmt[] => {
        d.low.counter(depth.name, size(p.k));
        const where = { batch: counters.batch, m: counters.m, n: column, k: depth };
        const left = d.low.at(p.a, p.indexA(where));
        const right = d.low.at(p.b, p.indexB(where));
        return [
          { k: 'alloc', name, dtype: t.dtype, length: atATime, memory: 'register' },
          ...numbers.map((j) => store(name, ix.int(j), constantExpr(0, t.dtype))),
          loop('serial', depth.name.slice(1), size(p.k), () =>
            numbers.map((j) => {
              const there = replace(right, { k: ix.min(here(j), last) });
              return store(name, ix.int(j), e.fma<LoadExpr>(left, there, load(name, ix.int(j), t.dtype)));
            }),
          ),
        ];
      });
      return loop('serial', 'walk', ix.ceilDiv(columns, atATime), (walk) => [
        { k: 'let', name: local('first'), value: ix.mul(walk, ix.int(atATime)) },
        ...products,
        ...numbers.flatMap((j) => {
          const values = Object.fromEntries(all.map(({ t, name }) => [name, load(name, ix.int(j), t.dtype)]));
          const at = (x: LoopExpr): LoopExpr => replace(x, { ...values, k: ix.min(here(j), last) });
          return body(at, ix.lt(here(j), columns));
        }),
      ]);
    },
    work: all.reduce((sum, { p }) => sum + 2 * ((size(p.k) as { value?: number }).value ?? 1), 0),
  };
}

/** A thread for every row of a matrix: its counters are `b` and `m`. */
function eachRow(ctx: ScheduleContext, d: Draft, matrix: Matrix, body: readonly Stmt[]): Stmt[] {
  const [batch, rows] = [size(matrix.batch), size(matrix.m)];
  return eachElement(
    d,
    ctx.target,
    'r',
    ix.mul(batch, rows),
    [
      { k: 'let', name: counters.batch.name, value: ix.div(v('r'), rows) },
      { k: 'let', name: counters.m.name, value: ix.mod(v('r'), rows) },
      ...body,
    ],
    1,
  );
}

function declare(d: Draft, matrix: Matrix): void {
  d.low.counter(counters.batch.name, size(matrix.batch));
  d.low.counter(counters.m.name, size(matrix.m));
  d.low.counter(column.name, size(matrix.n));
}

/** Schedules a contraction whose left operand is made of scores. */
export function scheduleBlockwiseContract(ctx: ScheduleContext, group: Group): Scheduled {
  const t = group.members[0]!;
  const p = productOf(t, ctx.fused.recomputed.get(t));
  const matrix = matrixReadBy(p);
  const scores = scoresIn(ctx, group, matrix);
  const d = draft(ctx, group, (x) => (x === t ? v('sum', t.dtype) : scores.held(x)), p.recomputed);
  declare(d, matrix);
  d.low.counter(counters.n.name, size(p.n));
  const width = d.fixed(size(p.n))!;
  const weight = d.low.at(p.a, p.indexA(counters));
  const right = d.low.at(p.b, p.indexB(counters));
  const atATime = Math.max(1, Math.min(4, Math.floor(registers / width)));
  const walk = scores.walk(d, atATime, (at, exists) => [
    {
      k: 'let',
      name: local('weight'),
      value: e.select<LoadExpr>(exists, at(weight), constantExpr(0, t.dtype)),
    },
    loop('unroll', 'n', ix.int(width), (n) => [
      store('sums', n, e.fma<LoadExpr>(v('weight', t.dtype), replace(at(right), { n }), load('sums', n, t.dtype))),
    ]),
  ]);
  const place = p.indexOut(counters);
  const position = d.low.simplify(flatIndex(t.shape, place as readonly Expr[]));
  const values = group.outputs.map((x) => d.low.at(x, place));
  const targets = group.outputs.map((x) => d.buffer(x, 'write'));
  const finish = loop('unroll', 'n', ix.int(width), (n) => {
    const at = { n, sum: load('sums', n, t.dtype) };
    return storeAll(
      values.map((value, o) => ({ to: targets[o]!, at: replace(position, at), value: replace(value, at) })),
    );
  });
  return d.close(
    kernelName('blockwise', ctx.fused, group.outputs),
    eachRow(ctx, d, matrix, [
      { k: 'alloc', name: 'sums', dtype: t.dtype, length: width, memory: 'register' },
      loop('unroll', 'n', ix.int(width), (n) => [store('sums', n, constantExpr(0, t.dtype))]),
      walk,
      finish,
    ]),
    ix.mul(elementsOf(matrix), ix.int(scores.work + operations([weight]) + 2 * width)),
  );
}

/** Schedules reductions over the innermost axis of scores, with the maps of their results: a walk for each level. */
export function scheduleBlockwiseRow(ctx: ScheduleContext, group: Group): Scheduled {
  const matrix = matrixOf(transientsOf(ctx, group)[0]!);
  const scores = scoresIn(ctx, group, matrix);
  const level = levels(group);
  const reductions = [...level.keys()];
  const name = (t: Tensor): string => `result${reductions.indexOf(t)}`;
  const d = draft(ctx, group, (t) => (level.has(t) ? v(name(t), t.dtype) : scores.held(t)));
  declare(d, matrix);
  const index = matrix.index({ batch: counters.batch, m: counters.m, n: column });
  const row = index.slice(0, -1);
  const terms = new Map(reductions.map((t) => [t, d.low.at(t.inputs[0]!, index)]));
  const body: Stmt[] = [];
  const passes = new Set(level.values());
  for (const pass of passes) {
    const now = reductions.filter((t) => level.get(t) === pass);
    const part = (t: Tensor): string => `part${reductions.indexOf(t)}`;
    body.push(
      ...now.flatMap((t): Stmt[] => [
        { k: 'alloc', name: part(t), dtype: t.dtype, length: 1, memory: 'register' },
        store(part(t), ix.int(0), initial(t)),
      ]),
      scores.walk(d, 4, (at, exists) => [
        {
          k: 'if',
          when: exists,
          body: now.map((t) =>
            store(part(t), ix.int(0), combine(t, load(part(t), ix.int(0), t.dtype), at(terms.get(t)!))),
          ),
        },
      ]),
      ...now.map((t): Stmt => ({ k: 'let', name: local(name(t)), value: load(part(t), ix.int(0), t.dtype) })),
    );
  }
  const isWide = (t: Tensor): boolean => sameShape(t.shape, group.full!) && !level.has(t);
  const outputs = group.outputs.map((t) => {
    const at = isWide(t) ? index : t.shape.length > row.length ? [...row, ix.int(0)] : row;
    return { t, at: d.low.simplify(flatIndex(t.shape, at as readonly Expr[])), value: d.low.at(t, at) };
  });
  const stores = outputs.map((o) => ({ ...o, to: d.buffer(o.t, 'write') }));
  const wide = stores.filter((o) => isWide(o.t));
  if (wide.length > 0)
    body.push(
      scores.walk(d, 4, (at, exists) => [
        below(
          ix.int(0),
          e.cast<LoadExpr>(exists, 'i32'),
          storeAll(wide.map((o) => ({ ...o, at: at(o.at), value: at(o.value) }))),
        ),
      ]),
    );
  body.push(...storeAll(stores.filter((o) => !isWide(o.t))));
  return d.close(
    kernelName('blockwise', ctx.fused, group.outputs),
    eachRow(ctx, d, matrix, body),
    ix.mul(elementsOf(matrix), ix.int(passes.size * scores.work + operations([...terms.values()]))),
  );
}

const elementsOf = ({ batch, m, n }: Matrix): LoopExpr => ix.product([size(batch), size(m), size(n)]);
