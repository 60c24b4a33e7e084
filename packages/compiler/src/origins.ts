/** From kernels back to the graph that they came from: what artifacts tell people about their code. */
import type { Tensor } from '@sinter/ir';
import { showShape, sourceName } from '@sinter/ir';
import { inlinedInto, summary } from './explain.ts';
import { isData } from './fuse/group.ts';
import type { PlanStep } from './assemble.ts';
import type { Planned } from './make-plan.ts';
import type { Plan } from './plan.ts';

/**
 * Per kernel, one text for each step that runs it: the ops that it computes, the type of what it stores, and the inputs and
 * weights that it reads, as in `contract, add → f32[batch, seq, 384] from dense.weight, dense.bias`.
 */
export function originsOf({ plan, steps, fused }: Planned): readonly (readonly string[])[] {
  const origins: string[][] = plan.kernels.map(() => []);
  plan.steps.forEach(({ kernel, buffers }, i) => {
    const step = steps[i];
    const text = step ? originOf(step, fused.stored) : `copy → ${plan.buffers[buffers.at(-1)!]!.name}`;
    if (!origins[kernel]!.includes(text)) origins[kernel]!.push(text);
  });
  return origins;
}

function originOf({ group, scheduled }: PlanStep, stored: ReadonlyMap<Tensor, string>): string {
  const { computes, bindings } = scheduled;
  const members = [...computes];
  const own = new Set(group.outputs.filter((t) => members.includes(t)));
  const ops = [...inlinedInto(members, stored, own), ...own].map((t) => t.op.name);
  const types = [...own].map((t) => `${t.dtype}${showShape(t.shape)}`);
  const scratch = bindings.flatMap((b) => ('scratch' in b ? [b.scratch] : []));
  const sources = bindings.flatMap((b) =>
    'scratch' in b || !isData(b) || (b.op.name !== 'input' && b.op.name !== 'state') ? [] : [sourceName(b)],
  );
  const what = ops.length > 0 ? summary(ops) : scheduled.kernel.name;
  const to = types.length > 0 ? types : scratch;
  return `${what} → ${to.join(', ')}${sources.length > 0 ? ` from ${[...new Set(sources)].join(', ')}` : ''}`;
}

/** The names of the state that a run of a plan changes. */
export function updatesOf({ state, kernels, steps }: Plan): readonly string[] {
  const written = new Set(
    steps.flatMap(({ kernel, buffers }) => buffers.filter((_, i) => kernels[kernel]!.buffers[i]!.access !== 'read')),
  );
  return Object.keys(state).filter((name) => written.has(state[name]!.buffer));
}
