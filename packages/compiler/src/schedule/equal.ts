/**
 * Groups that do the same on other tensors are scheduled once. The layers of a model are such groups: what they compute is equal up to
 * the tensors that they read and write, and so are their kernels. They are recognised by their structure, before anything is lowered.
 */
import type { Tensor } from '@sinter/ir';
import type { Fused } from '../fuse/fuse.ts';
import type { Group } from '../fuse/group.ts';
import { isData } from '../fuse/group.ts';
import { plainText } from '../plain.ts';
import type { Binding, Scheduled, ScheduleContext } from './draft.ts';
import { schedule } from './index.ts';

/** The kernels of all groups, each with its group, in the order in which they run. */
export function scheduleAll(ctx: ScheduleContext): { readonly group: Group; readonly scheduled: Scheduled }[] {
  const structure = structures(ctx.fused);
  const known = new Map<string, { readonly tensors: readonly Tensor[]; readonly kernels: readonly Scheduled[] }>();
  return ctx.fused.groups.flatMap((group) => {
    const { text, tensors } = structure(group);
    const like = known.get(text);
    const kernels = (like && movedTo(like.kernels, like.tensors, tensors)) ?? schedule(ctx, group);
    if (!like) known.set(text, { tensors, kernels });
    return kernels.map((scheduled) => ({ group, scheduled }));
  });
}

/** Kernels bound to other tensors; `undefined` where they are bound to more than the structure has. */
function movedTo(
  kernels: readonly Scheduled[],
  from: readonly Tensor[],
  to: readonly Tensor[],
): readonly Scheduled[] | undefined {
  const moved = new Map<Binding, Binding>(from.map((t, i) => [t, to[i]!]));
  let complete = true;
  const move = <B extends Binding>(b: B): B => {
    let other = moved.get(b);
    // A buffer that only these kernels know is another one elsewhere.
    if (!other && 'scratch' in b) moved.set(b, (other = { ...b }));
    complete &&= other !== undefined;
    return (other ?? b) as B;
  };
  const out = kernels.map(({ kernel, bindings, overwritable, computes }) => ({
    kernel,
    bindings: bindings.map(move),
    overwritable: new Set([...overwritable].map(move)),
    computes: computes.map(move),
  }));
  return complete ? out : undefined;
}

/**
 * A function from groups to all that their templates look at, as text, and the tensors in it, in the order of the text: the expressions of
 * the members down to what is read from buffers, and how each of their tensors is treated.
 */
function structures(fused: Fused): (group: Group) => { readonly text: string; readonly tensors: readonly Tensor[] } {
  const { stored, groupOf, recomputed, transient } = fused;
  const numbers = new Map<unknown, number>();
  const numberOf = (x: unknown): number => {
    let n = numbers.get(x);
    if (n === undefined) numbers.set(x, (n = numbers.size));
    return n;
  };
  const types = new Map<Tensor, number>();
  /** The number of everything that a node is, but for its operands. */
  const typeOf = (t: Tensor): number => {
    let type = types.get(t);
    if (type === undefined) {
      // The name and the contents of data are nothing to a kernel.
      const attrs = isData(t) ? '' : plainText(t.attrs, (x) => `#${numberOf(x)}`);
      const flags = `${stored.has(t) ? 's' : ''}${transient.has(t) ? 't' : ''}`;
      type = numberOf(`${numberOf(t.op)} ${t.dtype}[${t.shape.join()}] ${flags} ${attrs}`);
      types.set(t, type);
    }
    return type;
  };

  return (group) => {
    const { members, outputs, first: _, ...rest } = group;
    const again = new Set(members.flatMap((t) => [...(recomputed.get(t) ?? [])]));
    const ids = new Map<Tensor, number>();
    const lines: (number | string)[] = [];
    const isLeaf = (t: Tensor): boolean => isData(t) || (stored.has(t) && groupOf.get(t) !== group && !again.has(t));
    const visit = (t: Tensor): number => {
      const known = ids.get(t);
      if (known !== undefined) return known;
      const inputs = isLeaf(t) ? '' : t.inputs.map(visit).join();
      const id = ids.size;
      ids.set(t, id);
      lines.push(`${typeOf(t)}${groupOf.get(t) === group ? 'm' : ''}(${inputs})`);
      return id;
    };
    const parts = [members, outputs, ...members.map((t) => [...(recomputed.get(t) ?? [])])];
    const listed = parts.map((part) => part.map(visit).join());
    const text = [plainText(rest, (x) => `#${numberOf(x)}`), ...listed, ...lines];
    return { text: text.join('\n'), tensors: [...ids.keys()] };
  };
}
