/**
 * A row's softmax in a walk along its columns: exponentials relative to the largest score so far, and their sum, which is scaled down where that
 * grows (Milakov and Gimelshein 2018).
 */
import { constantExpr, e } from '@sinter/ir';
import type { LoadExpr, LoopExpr, Stmt } from '../../loop/language.ts';
import { load, store } from '../../loop/language.ts';
import type { ScheduleContext } from '../draft.ts';
import { ix, local, loop, v } from '../draft.ts';
import type { Block } from './blockwise.ts';

/** The least `f32`: scores of −∞ are relative to it where a row has nothing else so far, so that no difference is NaN. */
const least = constantExpr(-3.4028234663852886e38, 'f32') as LoopExpr;
const zero = constantExpr(0, 'f32') as LoopExpr;

/** What {@link exponentials} knows of a row of a block. */
export interface RowOfBlock {
  readonly row: LoopExpr;
  /** The columns that exist. */
  readonly width: LoopExpr;
  /** The exponent at a column. */
  readonly value: (column: LoopExpr) => LoopExpr;
  /** Scales down what has been added up in other places. */
  readonly rescale: (scale: LoopExpr) => readonly Stmt[];
}

/** Before the first block: `top` and `sum` of each row. */
export function startSoftmax(block: Block): Stmt {
  return loop('vector', 'j', ix.int(block.rows), (j) => [store('top', j, least), store('sum', j, zero)]);
}

/** Puts exponentials into a row of `scores0`, relative to what `top` then holds, and adds them to `sum`. */
export function exponentials({ target }: ScheduleContext, block: Block, of: RowOfBlock): Stmt[] {
  const { row, width } = of;
  const slot = (j: LoopExpr): LoopExpr => ix.add(ix.mul(row, ix.int(block.columns)), j);
  // Two vectors, so that one result need not wait for the other, where a row of the block is a whole number of them.
  const vector = target.vectorBytes / 4;
  const lanes = block.columns % (2 * vector) === 0 ? 2 * vector : vector;
  const eachPart = (body: (lane: LoopExpr, at: LoopExpr) => readonly Stmt[]): Stmt =>
    loop('serial', 'k', ix.int(block.columns / lanes), (k) => [
      loop('vector', 'l', ix.int(lanes), (l) => body(l, slot(ix.add(ix.mul(k, ix.int(lanes)), l)))),
    ]);
  const partsOf = (name: string, start: LoopExpr): Stmt[] => [
    { k: 'alloc', name, dtype: 'f32', length: lanes, memory: 'register' },
    loop('vector', 'l', ix.int(lanes), (l) => [store(name, l, start)]),
  ];
  const together = (name: string, join: (a: LoopExpr, b: LoopExpr) => LoopExpr): LoopExpr => {
    let values: LoopExpr[] = Array.from({ length: lanes }, (_, l) => load(name, ix.int(l), 'f32'));
    while (values.length > 1)
      values = Array.from({ length: values.length / 2 }, (_, l) => join(values[l]!, values[l + values.length / 2]!));
    return values[0]!;
  };
  // What machines call a maximum. NaN may get lost here: its exponential is NaN all the same.
  const larger = (a: LoopExpr, b: LoopExpr): LoopExpr => e.select<LoadExpr>(e.lt<LoadExpr>(a, b), b, a);
  const [known, top, scale] = [load('top', row, 'f32'), v('top', 'f32'), v('scale', 'f32')];
  return [
    loop('vector', 'j', width, (j) => [store('scores0', slot(j), of.value(j))]),
    loop('vector', 'j', ix.sub(ix.int(block.columns), width), (j) => [
      store('scores0', slot(ix.add(width, j)), constantExpr(-Infinity, 'f32')),
    ]),
    ...partsOf('most', least),
    eachPart((l, at) => [store('most', l, larger(load('most', l, 'f32'), load('scores0', at, 'f32')))]),
    { k: 'let', name: local('top'), value: larger(known, together('most', larger)) },
    { k: 'let', name: local('scale'), value: e.exp<LoadExpr>(e.sub<LoadExpr>(known, top)) },
    store('top', row, top),
    ...partsOf('added', zero),
    eachPart((l, at) => [
      { k: 'let', name: local('power'), value: e.exp<LoadExpr>(e.sub<LoadExpr>(load('scores0', at, 'f32'), top)) },
      store('scores0', at, v('power', 'f32')),
      store('added', l, e.add<LoadExpr>(load('added', l, 'f32'), v('power', 'f32'))),
    ]),
    store('sum', row, e.fma<LoadExpr>(load('sum', row, 'f32'), scale, together('added', e.add<LoadExpr>))),
    { k: 'if', when: e.lt<LoadExpr>(scale, constantExpr(1, 'f32')), body: of.rescale(scale) },
  ];
}
