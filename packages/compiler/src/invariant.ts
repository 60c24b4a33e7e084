/** Which steps give the same in every run, so that a runtime needs to run them once only: packed weights, for one. */
import type { Tensor } from '@sinter/ir';
import { graphRoots, sourceName } from '@sinter/ir';
import type { PlanStep } from './assemble.ts';
import { isData } from './fuse/group.ts';
import type { Binding, ScheduleContext } from './schedule/draft.ts';

/**
 * The steps that depend on constants, on state that the graph does not update, and on each other alone. They write nothing that a run
 * hands out or that another step writes too, and know no sizes but those that are fixed.
 */
export function invariantSteps(steps: readonly PlanStep[], ctx: ScheduleContext): ReadonlySet<PlanStep> {
  const { graph } = ctx.fused;
  const isFixed = (name: string): boolean => ctx.dims[name]!.min === ctx.dims[name]!.max;
  const roots = new Set<Binding>(graphRoots(graph));
  const isSteady = (t: Tensor): boolean =>
    t.op.name === 'state' ? !Object.hasOwn(graph.updates, sourceName(t)) : t.op.name !== 'input';
  const writers = new Map<Binding, PlanStep[]>();
  for (const step of steps) for (const b of written(step)) writers.set(b, [...(writers.get(b) ?? []), step]);

  const left = new Set(steps.filter(({ scheduled }) => scheduled.kernel.dims.every(isFixed)));
  const stays = (step: PlanStep): boolean => {
    const own = written(step);
    return (
      own.every((b) => !roots.has(b) && writers.get(b)!.every((s) => left.has(s))) &&
      step.scheduled.bindings.every((b) =>
        'scratch' in b || !isData(b) ? writers.get(b)!.every((s) => left.has(s)) : isSteady(b),
      )
    );
  };
  for (let before = -1; before !== left.size;) {
    before = left.size;
    for (const step of left) if (!stays(step)) left.delete(step);
  }
  return left;
}

function written({ scheduled: { kernel, bindings } }: PlanStep): Binding[] {
  return bindings.filter((_, i) => kernel.buffers[i]!.access !== 'read');
}
