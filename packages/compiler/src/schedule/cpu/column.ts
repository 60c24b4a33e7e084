/** The template of reductions that keep the innermost axis: vectors of columns, each summed down its own way. */
import type { Expr, Tensor } from '@sinter/ir';
import { e, elements, flatIndex, unflatten } from '@sinter/ir';
import type { Group } from '../../fuse/group.ts';
import type { LoadExpr, LoopExpr, Stmt } from '../../loop/language.ts';
import { load, store } from '../../loop/language.ts';
import type { ScheduleContext, Scheduled } from '../draft.ts';
import {
  draft,
  ix,
  kernelName,
  lastOf,
  local,
  loop,
  operations,
  readElsewhere,
  replace,
  storeAll,
  v,
} from '../draft.ts';
import { combine, initial } from '../reduction.ts';

/** Columns of one block: a cache line of floats. */
const block = 16;

/** Schedules reductions over the same outer axes, with the maps that follow. */
export function scheduleColumn(ctx: ScheduleContext, group: Group): Scheduled {
  const reductions = group.members.filter((t) => t.op.kind === 'reduce');
  const { shape, axes } = group.reduced!;
  const { outer, last } = lastOf(group.space);
  const result = new Map<Tensor, LoopExpr>();
  const d = draft(ctx, group, (t) => result.get(t));
  const width = elements([last]) as LoopExpr;
  const count = elements(outer) as LoopExpr;
  d.low.counter(local('o'), count);
  d.low.counter(local('c'), width);
  axes.forEach((a, i) => {
    d.low.counter(local(`k${i}`), elements([shape[a]!]) as LoopExpr);
  });
  const keptOuter = unflatten(outer, v('o')) as LoopExpr[];
  let kept = 0;
  const at = shape.map((_, i): LoopExpr => {
    if (axes.includes(i)) return v(`k${axes.indexOf(i)}`);
    return i === shape.length - 1 ? v('c') : keptOuter[kept++]!;
  });
  const terms = reductions.map((t) => d.low.at(t.inputs[0]!, at));
  const place = [...keptOuter, v('c') as LoopExpr];
  const position = d.low.simplify(flatIndex(group.space, place as readonly Expr[]));

  /** The body for `lanes` columns from `first` on: of a vector loop when there are several. */
  const columns = (kind: 'vector' | 'serial', lanes: number, first: LoopExpr, suffix: string): Stmt[] => {
    const acc = reductions.map((_, i) => `acc${i}${suffix}`);
    const each = (body: (slot: LoopExpr, c: LoopExpr) => Stmt[]): Stmt[] =>
      kind === 'vector'
        ? [loop('vector', 'l', ix.int(lanes), (l) => body(l, ix.add(first, l)))]
        : body(ix.int(0), first);
    let walk = each((slot, c) =>
      reductions.map((t, i) =>
        store(acc[i]!, slot, combine(t, load(acc[i]!, slot, t.dtype), replace(terms[i]!, { c }))),
      ),
    );
    for (let i = axes.length - 1; i >= 0; i--)
      walk = [loop('serial', `k${i}`, elements([shape[axes[i]!]!]) as LoopExpr, () => walk)];
    return [
      ...reductions.map((t, i): Stmt => ({
        k: 'alloc',
        name: acc[i]!,
        dtype: t.dtype,
        length: lanes,
        memory: 'register',
      })),
      ...each((slot) => reductions.map((t, i) => store(acc[i]!, slot, initial(t)))),
      ...walk,
      ...each((slot, c) =>
        storeAll(
          group.outputs.map((_, i) => ({
            to: targets[i]!,
            at: replace(position, { c }),
            value: bind(replace(values[i]!, { c }), acc, slot),
          })),
        ),
      ),
    ];
  };
  // Results stand in the members' values as names, and are read from the accumulators at the end.
  reductions.forEach((t, i) => result.set(t, v(`sum${i}`, t.dtype)));
  const values = group.outputs.map((t) => d.low.at(t, place));
  const targets = group.outputs.map((t) => d.buffer(t, 'write'));
  const bind = (x: LoopExpr, acc: readonly string[], slot: LoopExpr): LoopExpr =>
    replace(x, Object.fromEntries(reductions.map((t, i) => [`sum${i}`, load(acc[i]!, slot, t.dtype)])));

  // What is reduced is read at many places, what follows at one.
  const keep = new Set([...readElsewhere(values, position), ...readElsewhere(terms, position)]);
  const fixed = d.fixed(width);
  const blocks = ix.ceilDiv(width, block);
  const first = ix.mul(ix.mod(v('g'), blocks), ix.int(block));
  const full = e.le<LoadExpr>(ix.add(first, ix.int(block)), width);
  const body: Stmt[] = [];
  const whole = columns('vector', block, v('first'), '');
  const rest = [
    loop('serial', 'l', ix.sub(width, v('first')), (l) => columns('serial', 1, ix.add(v('first'), l), 's')),
  ];
  if (fixed !== undefined && fixed % block === 0) body.push(...whole);
  else if (fixed !== undefined && fixed < block) body.push(...rest);
  else body.push({ k: 'if', when: full, body: whole }, { k: 'if', when: e.not<LoadExpr>(full), body: rest });
  const flops = ix.mul(elements(shape) as LoopExpr, ix.int(operations(terms) + terms.length));
  return d.close(
    kernelName('column', ctx.fused, group.outputs),
    [
      loop('grid', 'g', ix.mul(count, blocks), (g) => [
        { k: 'let', name: local('o'), value: ix.div(g, blocks) },
        { k: 'let', name: local('first'), value: first },
        ...body,
      ]),
    ],
    flops,
    { keep },
  );
}
