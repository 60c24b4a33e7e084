/** A trial: one program that computes the same group in several ways, one after the other, so that their times can be compared. */
import type { Sizes, TensorData } from '@sinter/ir';
import { constantExpr, dataFor, sourceName, variable } from '@sinter/ir';
import type { PlanBuffer, Port, Step } from '../artifact/format.ts';
import { evaluateSize } from '../artifact/offsets.ts';
import { isData } from '../fuse/group.ts';
import { finishKernel, kernelKey } from '../loop/finish.ts';
import type { Kernel } from '../loop/language.ts';
import type { Plan } from '../plan.ts';
import type { Binding, Scheduled, ScheduleContext } from '../schedule/draft.ts';
import { lengthOf } from '../schedule/draft.ts';

/** One way to compute a group: kernels in the order in which they run. */
export type Way = readonly Scheduled[];

/** A program that computes a group in several ways. */
export interface Trial {
  readonly plan: Plan;
  /** The way that each step of the plan belongs to; −1 for steps that programs run once, when they are loaded. */
  readonly wayOf: readonly number[];
  /** How often each way is computed in a run. */
  readonly repeats: number;
  /** What a run is given: nothing but the run-time sizes. */
  readonly inputs: Readonly<Record<string, TensorData>>;
}

/** What a trial is made for. */
export interface TrialOptions {
  readonly sizes: Sizes;
  readonly repeats: number;
  /** Names of state that never changes: steps that only pack constants and this are run once, and their time does not count. */
  readonly lasting: ReadonlySet<string>;
}

/** A text that is equal for ways that do the same. */
export function wayKey(way: Way): string {
  return way.map(({ kernel }) => kernelKey(kernel)).join('\n');
}

/** The work of a way at some sizes, in operations. */
export function workOf(way: Way, sizes: Sizes): number {
  return way.reduce((sum, { kernel }) => sum + evaluateSize(kernel.cost.flops, sizes), 0);
}

/** Makes a trial. Operands are all zero. They are state, so that a run copies nothing in or out; each run-time size has a small input. */
export function trialOf(ctx: ScheduleContext, ways: readonly Way[], { sizes, repeats, lasting }: TrialOptions): Trial {
  const buffers: Omit<PlanBuffer, 'live'>[] = [];
  const state: Record<string, Port> = {};
  const indices = new Map<Binding, number>();
  const bufferOf = (b: Binding, written: boolean): number => {
    const known = indices.get(b);
    if (known !== undefined) return known;
    const count = evaluateSize(lengthOf(b), sizes);
    const [name, index] = [`b${buffers.length}`, buffers.length];
    const role = written ? 'scratch' : 'state';
    if (role === 'state') state[name] = { shape: [count], dtype: b.dtype, buffer: index };
    indices.set(b, index);
    buffers.push({ name, dtype: b.dtype, length: constantExpr(count), role });
    return index;
  };

  const kernels: Kernel[] = [];
  const steps: Step[] = [];
  const wayOf: number[] = [];
  ways.forEach((way, w) => {
    const calls = way.map((scheduled): Step & { readonly once: boolean } => {
      const { kernel, bindings } = scheduled;
      kernels.push({ ...finishKernel(kernel, ctx.target, ctx.dims), name: `way${w}_${kernel.name}` });
      return {
        kernel: kernels.length - 1,
        buffers: bindings.map((b, i) => bufferOf(b, kernel.buffers[i]!.access !== 'read')),
        once: isLasting(scheduled, lasting),
      };
    });
    for (let r = 0; r < repeats; r++)
      for (const { once, ...step } of calls) {
        if (once && r > 0) continue;
        steps.push(step);
        wayOf.push(once ? -1 : w);
      }
  });

  const inputs: Record<string, Port> = {};
  const given: Record<string, TensorData> = {};
  for (const [name, { min, max }] of Object.entries(ctx.dims)) {
    if (min === max) continue;
    inputs[name] = { shape: [name], dtype: 'u8', buffer: buffers.length };
    given[name] = { shape: [sizes[name]!], data: dataFor('u8', sizes[name]!) };
    buffers.push({ name: `size ${name}`, dtype: 'u8', length: variable(name), role: 'input' });
  }
  const dims = Object.fromEntries(
    Object.entries(ctx.dims).map(([name, { min, max }]) => [name, { min, max: Math.min(max, 2147483647) }]),
  );
  const live = buffers.map((_, i): readonly [number, number] => [
    Math.max(
      0,
      steps.findIndex((s) => s.buffers.includes(i)),
    ),
    Math.max(
      0,
      steps.findLastIndex((s) => s.buffers.includes(i)),
    ),
  ]);
  const plan: Plan = {
    name: 'trial',
    dims,
    inputs,
    outputs: {},
    state,
    buffers: buffers.map((b, i) => ({ ...b, live: b.role === 'state' ? [0, steps.length - 1] : live[i]! })),
    kernels,
    steps,
    constants: {},
  };
  return { plan, wayOf, repeats, inputs: given };
}

/** Whether a step only packs what never changes. */
function isLasting({ kernel, bindings }: Scheduled, lasting: ReadonlySet<string>): boolean {
  return bindings.every((b, i) => {
    if ('scratch' in b) return kernel.buffers[i]!.access !== 'read';
    return isData(b) && (b.op.name === 'constant' || (b.op.name === 'state' && lasting.has(sourceName(b))));
  });
}
