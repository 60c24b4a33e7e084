/**
 * Kernels that read contractions which are never stored: a thread takes a block of rows of the matrix of scores, walks along their columns
 * block by block, computes the scores of each block into memory of its own, and goes on from there as the templates of rows and contractions do.
 */
import type { Tensor } from '@sinter/ir';
import { constantExpr, e } from '@sinter/ir';
import type { Group } from '../../fuse/group.ts';
import type { LoadExpr, LoopExpr, Stmt } from '../../loop/language.ts';
import { load, store } from '../../loop/language.ts';
import type { Draft, ScheduleContext, Scheduled, Scratch } from '../draft.ts';
import { draft, ix, local, loop, replace, v } from '../draft.ts';
import { size } from '../product.ts';
import type { Matrix } from '../transient.ts';
import { productIn, transientsOf } from '../transient.ts';
import { cpuTile } from '../tiles.ts';
import { pack, panelLength, rowsInPlace } from './pack.ts';

/** The block of a matrix that a thread computes at a time, and the register tiles in it. */
export interface Block {
  readonly mr: number;
  readonly nr: number;
  /** Rows and columns, whole numbers of tiles. */
  readonly rows: number;
  readonly columns: number;
}

/** Rows and columns of a block: with what is computed of it, it stays in the nearest cache. */
const [rowsOfBlock, columnsOfBlock] = [48, 96];

/** The block for a target. Its columns are whole tiles both ways: they are rows where the matrix is transposed. */
export function blockOf(ctx: ScheduleContext): Block {
  const { mr, nr } = cpuTile(ctx, 'walked');
  const up = (n: number, by: number): number => Math.ceil(n / by) * by;
  let both = nr;
  while (both % mr !== 0) both += nr;
  return { mr, nr, rows: up(rowsOfBlock, mr), columns: up(columnsOfBlock, both) };
}

/** The transient contractions of a kernel: what must be packed before, and how a block of each is computed. */
export interface Scores {
  readonly packs: readonly Scheduled[];
  /** The value of a transient contraction at the place {@link v}`('slot')` of the block. */
  readonly held: (t: Tensor) => LoopExpr | undefined;
  /** Names the operands in a kernel; then the statements for the block at row `m0` and column `n0` of a batch. */
  readonly bind: (d: Draft) => { readonly allocs: readonly Stmt[]; readonly block: readonly Stmt[] };
  /** How many there are: each has a local matrix of the block, `scores0` and so on. */
  readonly count: number;
  /** Floating-point operations of one score of each. */
  readonly work: number;
}

/** Prepares the transient contractions that a group reads. The kernel defines the variables `batch`, `m0`, `n0`, `height` and `width`. */
export function scoresIn(ctx: ScheduleContext, group: Group, matrix: Matrix, block: Block): Scores {
  const { mr, nr } = block;
  const pr = 4 * mr;
  const probe = draft(ctx, undefined);
  const packs: Scheduled[] = [];
  const all = transientsOf(ctx, group).map((t, i) => {
    const p = productIn(matrix, t);
    const right: Scratch = { scratch: 'packed_b', dtype: t.dtype, length: panelLength(p, p.n, nr) };
    packs.push(pack(ctx, p, 'b', nr, right));
    const inPlace = rowsInPlace(ctx, p);
    const left: Scratch = { scratch: 'packed_a', dtype: t.dtype, length: panelLength(p, p.m, pr) };
    if (!inPlace) packs.push(pack(ctx, p, 'a', pr, left));
    return { t, p, name: `scores${i}`, right, left: inPlace ?? left, depth: probe.fixed(size(p.k))! };
  });
  return {
    packs,
    held: (x) => {
      const found = all.find(({ t }) => t === x);
      return found && load(found.name, v('slot'), x.dtype);
    },
    bind: (d) => ({
      allocs: all.map(({ t, name }) => alloc(name, t, block.rows * block.columns)),
      block: all.map(({ t, p, name, right, left, depth }) => {
        const a = d.buffer('from' in left ? left.from : left, 'read');
        const b = d.buffer(right, 'read');
        const row = (i: LoopExpr): LoopExpr => ix.add(v('m0'), ix.add(ix.mul(v('it'), ix.int(mr)), i));
        const lastRow = ix.sub(size(p.m), ix.int(1));
        const panels = ix.add(ix.mul(v('batch'), ix.ceilDiv(size(p.m), pr)), ix.div(row(ix.int(0)), ix.int(pr)));
        const rowsOf: Stmt[] =
          'from' in left
            ? [
                { k: 'alloc', name: 'rows', dtype: 'i32', length: mr, memory: 'register' },
                loop('unroll', 'i', ix.int(mr), (i) => [
                  store('rows', i, replace(left.row, { m: ix.min(row(i), lastRow), b: v('batch') })),
                ]),
              ]
            : [
                {
                  k: 'let',
                  name: local('base_a'),
                  value: ix.add(ix.mul(panels, ix.int(depth * pr)), ix.mod(row(ix.int(0)), ix.int(pr))),
                },
              ];
        const panel = ix.add(
          ix.mul(v('batch'), ix.ceilDiv(size(p.n), nr)),
          ix.add(ix.div(v('n0'), ix.int(nr)), v('jt')),
        );
        return overTiles(ix.ceilDiv(v('height'), mr), ix.ceilDiv(v('width'), nr), [
          ...rowsOf,
          { k: 'let', name: local('base_b'), value: ix.mul(panel, ix.int(depth * nr)) },
          ...registerTile(block, t, {
            depth: ix.int(depth),
            left: (i, k) =>
              load(
                a,
                'from' in left
                  ? ix.add(load('rows', i, 'i32'), k)
                  : ix.add(v('base_a'), ix.add(ix.mul(k, ix.int(pr)), i)),
                t.dtype,
              ),
            right: (k, j) => load(b, ix.add(v('base_b'), ix.add(ix.mul(k, ix.int(nr)), j)), t.dtype),
            result: { name, width: block.columns, addsUp: false },
          }),
        ]);
      }),
    }),
    count: all.length,
    work: all.reduce((sum, { depth }) => sum + 2 * depth, 0),
  };
}

/** A private array. */
export const alloc = (name: string, { dtype }: Pick<Tensor, 'dtype'>, length: number): Stmt => ({
  k: 'alloc',
  name,
  dtype,
  length,
  memory: 'local',
});

/** Every register tile of a block, by its row `it` and its column `jt`. */
export function overTiles(rows: LoopExpr, columns: LoopExpr, body: readonly Stmt[]): Stmt {
  return loop('serial', 'jt', columns, () => [loop('serial', 'it', rows, () => body)]);
}

/** A product in registers: `left` rows times `right` columns, put or added to the tile `it`, `jt` of a matrix that begins at `base`. */
export function registerTile(
  { mr, nr }: Block,
  { dtype }: Tensor,
  of: {
    readonly depth: LoopExpr;
    readonly left: (i: LoopExpr, k: LoopExpr) => LoopExpr;
    readonly right: (k: LoopExpr, j: LoopExpr) => LoopExpr;
    readonly result: {
      readonly name: string;
      readonly width: number;
      readonly addsUp: boolean;
      readonly base?: LoopExpr;
    };
  },
): Stmt[] {
  const { name, width, addsUp, base = ix.int(0) } = of.result;
  const each = (statement: (slot: LoopExpr, place: LoopExpr, i: LoopExpr, j: LoopExpr) => Stmt): Stmt =>
    loop('unroll', 'i', ix.int(mr), (i) => [
      loop('vector', 'j', ix.int(nr), (j) => [
        statement(ix.add(ix.mul(i, ix.int(nr)), j), ix.add(v('corner'), ix.add(ix.mul(i, ix.int(width)), j)), i, j),
      ]),
    ]);
  return [
    {
      k: 'let',
      name: local('corner'),
      value: ix.add(base, ix.add(ix.mul(v('it'), ix.int(mr * width)), ix.mul(v('jt'), ix.int(nr)))),
    },
    { k: 'alloc', name: 'acc', dtype, length: mr * nr, memory: 'register' },
    each((slot, place) => store('acc', slot, addsUp ? load(name, place, dtype) : constantExpr(0, dtype))),
    loop('serial', 'k', of.depth, (k) => [
      each((slot, _, i, j) =>
        store('acc', slot, e.fma<LoadExpr>(of.left(i, k), of.right(k, j), load('acc', slot, dtype))),
      ),
    ]),
    each((slot, place) => store(name, place, load('acc', slot, dtype))),
  ];
}

/** Walks the columns of a block of rows, block by block: the scores, and what is made of them. */
export function overColumns(columns: LoopExpr, block: Block, body: readonly Stmt[]): Stmt {
  return loop('serial', 'nb', ix.ceilDiv(columns, block.columns), (nb) => [
    { k: 'let', name: local('n0'), value: ix.mul(nb, ix.int(block.columns)) },
    { k: 'let', name: local('width'), value: ix.min(ix.int(block.columns), ix.sub(columns, v('n0'))) },
    ...body,
  ]);
}

/** Takes the rows of a matrix block by block, over all threads. */
export function overRows(batch: LoopExpr, rows: LoopExpr, block: Block, body: readonly Stmt[]): Stmt {
  const blocks = ix.ceilDiv(rows, block.rows);
  return loop('grid', 'g', ix.mul(batch, blocks), (g) => [
    { k: 'let', name: local('batch'), value: ix.div(g, blocks) },
    { k: 'let', name: local('m0'), value: ix.mul(ix.mod(g, blocks), ix.int(block.rows)) },
    { k: 'let', name: local('height'), value: ix.min(ix.int(block.rows), ix.sub(rows, v('m0'))) },
    ...body,
  ]);
}
