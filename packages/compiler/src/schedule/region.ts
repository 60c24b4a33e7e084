/**
 * The template of regions: a contraction by itself, of operands as they lie. A backend that claimed it runs it its own way;
 * the body says what it computes, and runs, without haste, where nobody did.
 */
import type { Tensor } from '@sinter/ir';
import { constantExpr, dtypeBytes, e, elements, flatIndex, isFloat, unflatten } from '@sinter/ir';
import type { Expr } from '@sinter/ir';
import type { Group } from '../fuse/group.ts';
import { isData } from '../fuse/group.ts';
import type { Kernel, LoadExpr, LoopExpr, Stmt } from '../loop/language.ts';
import { load, store } from '../loop/language.ts';
import { usesName } from '../loop/walk.ts';
import { operandOf } from '../region.ts';
import type { ScheduleContext, Scheduled } from './draft.ts';
import { draft, ix, local, loop, v } from './draft.ts';
import { productOf } from './product.ts';

/** Threads of a workgroup, where there are workgroups. */
const threads = 64;

/** Schedules a region: buffers are the operands in their order, and the result. */
export function scheduleRegion(ctx: ScheduleContext, group: Group): Scheduled {
  const { a, b, out, spec } = group.region!;
  const [t] = group.members as [Tensor];
  const p = productOf(t, undefined);
  const { low } = draft(ctx, group);
  const [total, inner] = [elements(out.shape) as LoopExpr, elements(p.k) as LoopExpr];
  low.counter(local('r'), total);
  low.counter(local('k'), inner);
  const at = p.operandsAt(unflatten(out.shape, v('r')) as LoopExpr[], unflatten(p.k, v('k')) as LoopExpr[]);
  // `productOf` has the operands in an order of its own.
  const [atA, atB] = p.a === t.inputs[0] ? at : ([at[1], at[0]] as const);
  const wide = isFloat(out.dtype) ? 'f32' : out.dtype;
  const operand = (name: string, x: typeof a, index: readonly LoopExpr[]): LoopExpr =>
    e.cast<LoadExpr>(load(name, low.simplify(flatIndex(x.shape, index as Expr[]) as LoopExpr), x.dtype), wide);
  const sum = load(local('sum'), ix.int(0), wide);
  const element: Stmt[] = [
    { k: 'alloc', name: local('sum'), dtype: wide, length: 1, memory: 'register' },
    store(local('sum'), ix.int(0), constantExpr(0, wide)),
    loop('serial', 'k', inner, () => [
      store(
        local('sum'),
        ix.int(0),
        e.add<LoadExpr>(sum, e.mul<LoadExpr>(operand('in0', a, atA), operand('in1', b, atB))),
      ),
    ]),
    store('out0', v('r'), e.cast<LoadExpr>(sum, out.dtype)),
  ];
  const body = ctx.target.kind === 'cpu' ? [loop('grid', 'r', total, () => element)] : inWorkgroups(total, element);
  const stored = (x: Tensor): boolean => isData(x) || ctx.fused.stored.has(x);
  const kernel: Kernel = {
    name: `region_${spec.replaceAll(/\W+/g, '_')}`,
    buffers: [
      { name: 'in0', dtype: a.dtype, access: 'read' },
      { name: 'in1', dtype: b.dtype, access: 'read' },
      { name: 'out0', dtype: out.dtype, access: 'write' },
    ],
    dims: Object.keys(ctx.dims).filter((d) => usesName(body, d)),
    workgroup: ctx.target.kind === 'cpu' ? [1, 1, 1] : [threads, 1, 1],
    body,
    region: group.region!,
    cost: {
      flops: low.simplify(ix.mul(ix.mul(total, inner), ix.int(2))) as Expr,
      bytes: [a, b, out]
        .map((x) => e.mul(elements(x.shape), constantExpr(dtypeBytes[x.dtype])))
        .reduce((x, y) => e.add(x, y)),
    },
  };
  return {
    kernel,
    bindings: [...t.inputs.map((x) => operandOf(x, stored)), t],
    overwritable: new Set(),
    computes: group.members,
  };
}

function inWorkgroups(total: LoopExpr, element: readonly Stmt[]): Stmt[] {
  return [
    loop('grid', 'g', ix.ceilDiv(total, threads), (g) => [
      loop('local', 't', ix.int(threads), (thread) => [
        { k: 'let', name: local('r'), value: ix.add(ix.mul(g, ix.int(threads)), thread) },
        { k: 'if', when: ix.lt(v('r'), total), body: element },
      ]),
    ]),
  ];
}
