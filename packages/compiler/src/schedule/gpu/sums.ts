/**
 * Sums of many terms on a GPU: each thread adds up its part in a register, then the threads of a result add up theirs in a
 * tree through shared memory. "Sum" is said of every reduction, and of a contraction's element too.
 */
import type { DType, Tensor } from '@sinter/ir';
import { e, isFloat } from '@sinter/ir';
import type { LoadExpr, LoopExpr, Stmt } from '../../loop/language.ts';
import { load, store } from '../../loop/language.ts';
import { ix, local, loop, v } from '../draft.ts';
import { combine, initial } from '../reduction.ts';
import type { Target } from '../../target.ts';
import { below, usualThreads } from './workgroup.ts';

/** A sum in the making. */
export interface Sum {
  /** The reduction or contraction that it is the value of. */ readonly of: Tensor;
  /** What it is accumulated in: `f32` for every float, 32 bits for integers. */ readonly dtype: DType;
  /** The name of the finished sum. */ readonly name: string;
}

/** Sums for some tensors. */
export function sumsOf(tensors: readonly Tensor[]): Sum[] {
  return tensors.map((of, i) => ({ of, dtype: accumulator(of.dtype), name: `sum${i}` }));
}

/** The dtype in which values of a dtype are added up. */
export function accumulator(dtype: DType): DType {
  if (isFloat(dtype)) return 'f32';
  return dtype === 'i8' ? 'i32' : dtype === 'u8' ? 'u32' : dtype;
}

/** `x` as another dtype. */
export function convert(x: LoopExpr, dtype: DType): LoopExpr {
  return x.dtype === dtype ? x : e.cast<LoadExpr>(x, dtype);
}

/** The finished sum as a value of its tensor. */
export function valueOf(s: Sum): LoopExpr {
  return convert(v(s.name, s.dtype), s.of.dtype);
}

/** How the threads of a workgroup stand: `parts` of them, `stride` apart, make one of `results` results together. Powers of two. */
export interface Team {
  readonly results: number;
  readonly parts: number;
  readonly stride: number;
}

/** A team in which neighbours work on one result (`parts`), or on neighbouring results. */
export function teamOf(neighbours: 'parts' | 'results', results: number, parts: number): Team {
  return { results, parts, stride: neighbours === 'parts' ? 1 : results };
}
/** The threads of a team's workgroup. */
export const threadsOf = (t: Team): number => t.results * t.parts;
/** The most threads that a workgroup may have whose threads share so many sums. */
export function threadsFor(target: Target, sums: readonly Sum[]): number {
  let threads = usualThreads(target);
  while (threads > 1 && threads * 4 * sums.length > target.sharedBytes) threads /= 2;
  return threads;
}
/** Which of the workgroup's results thread `l` works on. */
export function resultOf(t: Team): LoopExpr {
  return t.stride === 1 ? ix.div(v('l'), ix.int(t.parts)) : ix.mod(v('l'), ix.int(t.results));
}
/** Which part of it. */
export function partOf(t: Team): LoopExpr {
  return t.stride === 1 ? ix.mod(v('l'), ix.int(t.parts)) : ix.div(v('l'), ix.int(t.results));
}

/** Partial sums of a thread that sums alone: additions need not wait for each other, and long sums stay exact. */
const lanesOfOne = 4;

/**
 * Statements of every thread that add up `terms` (over `k`) for `k` from `first` to `end`, and leave the sums under their names.
 * `part` must be defined. The shared storage that they need stands in the second result.
 */
export function addUp(
  sums: readonly Sum[],
  terms: readonly LoopExpr[],
  range: { readonly first?: LoopExpr; readonly end: LoopExpr },
  team: Team,
): { readonly body: Stmt[]; readonly shared: Stmt[] } {
  const first = range.first ? ix.add(range.first, v('part')) : v('part');
  const zero = ix.int(0);
  const acc = (s: Sum): string => local(`${s.name}_part`);
  const lanes = team.parts === 1 ? lanesOfOne : 1;
  const take = (k: LoopExpr, slot: LoopExpr): Stmt[] => [
    { k: 'let', name: local('k'), value: k },
    ...sums.map((s, i) => store(acc(s), slot, combine(s.of, load(acc(s), slot, s.dtype), terms[i]!))),
  ];
  const count = ix.sub(range.end, first);
  const rounds = ix.div(count, ix.int(lanes));
  const body: Stmt[] = [
    ...sums.map((s): Stmt => ({ k: 'alloc', name: acc(s), dtype: s.dtype, length: lanes, memory: 'register' })),
    loop('unroll', 'lane', ix.int(lanes), (lane) => sums.map((s) => store(acc(s), lane, initial(s.of, s.dtype)))),
  ];
  if (lanes === 1) {
    body.push(
      loop('serial', 'step', ix.ceilDiv(count, team.parts), (step) =>
        take(ix.add(ix.mul(step, ix.int(team.parts)), first), zero),
      ),
    );
  } else {
    body.push(
      loop('serial', 'step', rounds, (step) => [
        loop('unroll', 'lane', ix.int(lanes), (lane) =>
          take(ix.add(ix.add(ix.mul(step, ix.int(lanes)), lane), first), lane),
        ),
      ]),
      loop('serial', 'step', ix.sub(count, ix.mul(rounds, ix.int(lanes))), (step) =>
        take(ix.add(ix.add(ix.mul(rounds, ix.int(lanes)), step), first), zero),
      ),
    );
  }
  const own = (s: Sum): LoopExpr => {
    let values = Array.from({ length: lanes }, (_, i): LoopExpr => load(acc(s), ix.int(i), s.dtype));
    while (values.length > 1) {
      const half = values.length / 2;
      values = values.slice(0, half).map((x, i) => combine(s.of, x, values[i + half]!));
    }
    return values[0]!;
  };
  if (team.parts === 1) {
    body.push(...sums.map((s): Stmt => ({ k: 'let', name: local(s.name), value: own(s) })));
    return { body, shared: [] };
  }
  const all = (s: Sum): string => local(`${s.name}_all`);
  const l = v('l');
  body.push(...sums.map((s) => store(all(s), l, own(s))), { k: 'barrier' });
  for (let half = team.parts / 2; half >= 1; half /= 2) {
    const other = ix.add(l, ix.int(half * team.stride));
    const join = sums.map((s) =>
      store(all(s), l, combine(s.of, load(all(s), l, s.dtype), load(all(s), other, s.dtype))),
    );
    body.push(below(v('part'), ix.int(half), join), { k: 'barrier' });
  }
  const root = ix.sub(l, ix.mul(v('part'), ix.int(team.stride)));
  body.push(...sums.map((s): Stmt => ({ k: 'let', name: local(s.name), value: load(all(s), root, s.dtype) })));
  const shared = sums.map((s): Stmt => ({
    k: 'alloc',
    name: all(s),
    dtype: s.dtype,
    length: threadsOf(team),
    memory: 'shared',
  }));
  return { body, shared };
}
