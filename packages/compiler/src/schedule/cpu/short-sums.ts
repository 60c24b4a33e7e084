/**
 * The sums of contractions with few rows, as two walks over the right operand: along its rows where these are neighbours on the inner axis
 * (`[N, K]`, a linear layer's weight), and down its columns where not (`[K, N]`). Either reads long streams: what limits these
 * products is memory, and memory is fast where the next line is the expected one.
 */
import type { DType } from '@sinter/ir';
import { e, isFloat } from '@sinter/ir';
import type { LoadExpr, LoopExpr, Stmt } from '../../loop/language.ts';
import { load, store } from '../../loop/language.ts';
import type { Target } from '../../target.ts';
import { ix, local, loop, v } from '../draft.ts';

/** The products to add up: those of some rows and of a block of columns, along a part of the inner axis. */
export interface Sums {
  readonly dtype: DType;
  readonly rows: number;
  /** Columns of a block. */ readonly block: number;
  /** How many of them there are. */ readonly width: LoopExpr;
  /** Positions on the inner axis, and their number if that is known. */ readonly inner: LoopExpr;
  readonly fixedInner: number | undefined;
  /** The values that are multiplied: of a row, and of a column of the block, at a position on the inner axis. */
  readonly left: (row: number, k: LoopExpr) => LoopExpr;
  readonly right: (column: LoopExpr, k: LoopExpr) => LoopExpr;
}

/** Writes the sums into the array `tile`, `[rows, block]`. */
export type Walk = (target: Target, sums: Sums) => Stmt[];

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const letLeft = (s: Sums, row: number, k: LoopExpr, name: string): Stmt => ({
  k: 'let',
  name: local(name),
  value: s.left(row, k),
});
const zero = ({ dtype }: Sums): LoopExpr => ({ k: 'const', value: 0, dtype });

function multiplyAdd({ dtype }: Sums, a: string, b: string, sum: LoopExpr): LoopExpr {
  const [x, y] = [v(a, dtype), v(b, dtype)];
  return isFloat(dtype) ? e.fma<LoadExpr>(x, y, sum) : e.add<LoadExpr>(e.mul<LoadExpr>(x, y), sum);
}

/**
 * Each sum is a dot product, made as a few vectors of partial sums so that additions need not wait for each other. One column after
 * the other: several at once would be as many streams, which came out slower. More rows than registers can hold sums of are
 * taken in groups: the column is in the nearest cache by then. The rows themselves must stay there too, so where they are long, all columns
 * of the block take one piece of them after the other.
 */
export const alongRows: Walk = (target, s) => {
  const { dtype } = s;
  const most = target.registers > 16 ? { sums: 16, rows: 4 } : { sums: 6, rows: 3 };
  const groups = Math.ceil(s.rows / most.rows);
  const together = Math.ceil(s.rows / groups);
  const lanes = target.vectorBytes / 4;
  const fits = (n: number): boolean => s.fixedInner !== undefined && s.fixedInner % (lanes * n) === 0;
  const count = lanes * ([4, 2].find((n) => n * together <= most.sums && fits(n)) ?? 1);
  const done = ix.mul(ix.div(s.inner, ix.int(count)), ix.int(count));
  const whole = s.fixedInner !== undefined && s.fixedInner % count === 0;
  const pieces = piecesOf(s, count, target.cacheBytes[0]! / 2);
  const inner = pieces === 1 ? s.inner : ix.int(s.fixedInner! / pieces);
  const register = (name: string, length: number): Stmt => ({ k: 'alloc', name, dtype, length, memory: 'register' });

  const group = (rows: readonly number[], jt: LoopExpr, from: LoopExpr): Stmt[] => {
    const each = rows.map((m) => ({ m, acc: `acc${m}`, rest: `rest${m}` }));
    const step = (k: LoopExpr, to: 'acc' | 'rest', slot: LoopExpr): Stmt[] => [
      { k: 'let', name: local('right'), value: s.right(jt, k) },
      ...each.map(({ m }) => letLeft(s, m, k, `left${m}`)),
      ...each.map((x) => store(x[to], slot, multiplyAdd(s, `left${x.m}`, 'right', load(x[to], slot, dtype)))),
    ];
    return [
      ...each.map(({ acc }) => register(acc, count)),
      loop('vector', 'l', ix.int(count), (l) => each.map(({ acc }) => store(acc, l, zero(s)))),
      loop('serial', 'kc', ix.div(inner, ix.int(count)), (kc) => [
        loop('vector', 'l', ix.int(count), (l) => step(ix.add(from, ix.add(ix.mul(kc, ix.int(count)), l)), 'acc', l)),
      ]),
      ...(whole
        ? []
        : [
            ...each.flatMap(({ rest }) => [register(rest, 1), store(rest, ix.int(0), zero(s))]),
            loop('serial', 'kr', ix.mod(s.inner, ix.int(count)), (k) => step(ix.add(done, k), 'rest', ix.int(0))),
          ]),
      ...each.map(({ m, acc, rest }) => {
        let sums: LoopExpr[] = upTo(count).map((l) => load(acc, ix.int(l), dtype));
        while (sums.length > 1)
          sums = upTo(sums.length / 2).map((l) => e.add<LoadExpr>(sums[l]!, sums[l + sums.length / 2]!));
        const slot = ix.add(ix.int(m * s.block), jt);
        const more = whole ? (pieces > 1 ? load('tile', slot, dtype) : undefined) : load(rest, ix.int(0), dtype);
        return store('tile', slot, more ? e.add<LoadExpr>(more, sums[0]!) : sums[0]!);
      }),
    ];
  };
  const columns = (from: LoopExpr): Stmt =>
    loop('serial', 'jt', s.width, (jt) =>
      upTo(groups).flatMap((g) =>
        group(
          upTo(s.rows).filter((m) => Math.floor(m / together) === g),
          jt,
          from,
        ),
      ),
    );
  if (pieces === 1) return [columns(ix.int(0))];
  return [
    loop('vector', 'j', ix.int(s.rows * s.block), (j) => [store('tile', j, zero(s))]),
    loop('serial', 'kb', ix.int(pieces), (kb) => [columns(ix.mul(kb, inner))]),
  ];
};

/** Into how many equal pieces of whole vectors the inner axis is cut, so that a piece of all rows takes no more than so many bytes. */
function piecesOf({ rows, fixedInner }: Sums, count: number, bytes: number): number {
  if (fixedInner === undefined) return 1;
  const least = Math.ceil((4 * rows * fixedInner) / bytes);
  return (
    upTo(least + 1)
      .map((i) => least + i)
      .find((n) => n > 0 && fixedInner % (n * count) === 0) ?? 1
  );
}

/** Rows of the right operand that {@link downColumns} takes at a time: more of them mean fewer walks over the sums. */
export const rowsAtOnce = 8;

/** All sums of the block grow together, by a few rows of the right operand at a time. */
export const downColumns: Walk = (target, s) => {
  // Each value of the left operand wants a register, where there are few.
  const together = target.registers > 16 ? rowsAtOnce : Math.max(2, rowsAtOnce / s.rows);
  const slot = (m: number, j: LoopExpr): LoopExpr => ix.add(ix.int(m * s.block), j);
  const step = (k: LoopExpr, count: number): Stmt[] => [
    ...upTo(s.rows).flatMap((m) => upTo(count).map((u) => letLeft(s, m, ix.add(k, ix.int(u)), `left${m}_${u}`))),
    loop('vector', 'j', s.width, (j) => [
      ...upTo(count).map((u): Stmt => ({
        k: 'let',
        name: local(`right${u}`),
        value: s.right(j, ix.add(k, ix.int(u))),
      })),
      ...upTo(s.rows).map((m) => {
        const before: LoopExpr = load('tile', slot(m, j), s.dtype);
        return store(
          'tile',
          slot(m, j),
          upTo(count).reduce<LoopExpr>((sum, u) => multiplyAdd(s, `left${m}_${u}`, `right${u}`, sum), before),
        );
      }),
    ]),
  ];
  const chunks = ix.div(s.inner, ix.int(together));
  return [
    ...upTo(s.rows).map((m) => loop('vector', 'j', s.width, (j) => [store('tile', slot(m, j), zero(s))])),
    loop('serial', 'kc', chunks, (kc) => step(ix.mul(kc, ix.int(together)), together)),
    loop('serial', 'kr', ix.mod(s.inner, ix.int(together)), (k) =>
      step(ix.add(ix.mul(chunks, ix.int(together)), k), 1),
    ),
  ];
};
