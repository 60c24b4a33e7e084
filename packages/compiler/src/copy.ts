/** The kernel that copies a tensor into the state that it updates, where that could not be done in place. */
import type { Graph, Tensor } from '@sinter/ir';
import { ops, Tensor as T } from '@sinter/ir';
import type { Group } from './fuse/group.ts';
import type { Kernel } from './loop/language.ts';
import type { ScheduleContext } from './schedule/draft.ts';
import { schedule } from './schedule/index.ts';

const reshape = ops.get('reshape')!;

/** A map of one tensor to another, scheduled as every map is. */
export function copyOf(t: Tensor, ctx: ScheduleContext): Kernel {
  const copy = T.make(reshape, [t], { shape: t.shape });
  const group: Group = { kind: 'map', space: t.shape, members: [copy], outputs: [copy], first: 0 };
  const stored = new Map([
    [t, 'copied'],
    [copy, 'copy'],
  ]);
  const graph: Graph = { name: 'copy', inputs: {}, state: {}, outputs: { copy }, updates: {} };
  const fused = {
    graph,
    groups: [group],
    groupOf: new Map([[copy, group]]),
    stored,
    recomputed: new Map(),
    transient: new Map(),
    refused: new Map(),
  };
  return { ...schedule({ ...ctx, fused }, group)[0]!.kernel, name: 'copy' };
}
