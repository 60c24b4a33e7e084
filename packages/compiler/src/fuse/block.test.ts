import { contract, graph, input, slice, state, sum, updateSlice } from '@sinter/ir';
import type { Tensor } from '@sinter/ir';
import { describe, expect, test } from 'vitest';
import { makePlan } from '../index.ts';
import { interpreter } from '../loop/backend.ts';

const { target } = interpreter();
const cache = state('cache', [2, 1000, 4]);
const at = input('at', [3], 'i32') as Tensor<readonly [3], 'i32'>;
const updated = updateSlice(cache, input('keys', [2, 1, 4]), at);

describe('a block written over its state', () => {
  test('touches the block alone, and readers see it in the state', () => {
    const filled = slice(updated, { starts: [0, 0, 0], ends: [2, 'filled', 4] });
    const y = contract('hk,hkd->hd', input('query', [2, 'filled']), filled);
    const { plan, fused } = makePlan(graph('cache', { outputs: { y }, updates: { cache: updated } }), target);
    expect(fused.groups.map((g) => [g.kind, g.space.join()])).toContainEqual(['update', '2,1,4']);
    expect(plan.buffers.filter((b) => b.length.k === 'const' && b.length.value === 8000)).toHaveLength(1);
    expect(plan.dims['filled']).toEqual({ min: 1, max: 1000 });
  });
  test('is computed whole where the old state is read too', () => {
    const g = graph('both', { outputs: { before: sum(cache) }, updates: { cache: updated } });
    expect(makePlan(g, target).fused.groups.some((group) => group.kind === 'update')).toBe(false);
  });
  test('of a state that is not its own is computed whole', () => {
    const other = state('other', [2, 1000, 4]);
    const g = graph('other', { outputs: { y: sum(other) }, updates: { other: updated } });
    expect(makePlan(g, target).fused.groups.some((group) => group.kind === 'update')).toBe(false);
  });
  test('a size that is cut from an axis cannot be larger', () => {
    const part = slice(cache, { starts: [0, 0, 0], ends: [2, 'filled', 4] });
    const g = graph('part', { outputs: { y: sum(part, { axes: 1 }) } });
    expect(makePlan(g, target, { dims: { filled: { min: 2 } } }).plan.dims['filled']).toEqual({ min: 2, max: 1000 });
    expect(() => makePlan(g, target, { dims: { filled: 1001 } })).toThrow(
      "'filled' is 1001 or more, but is cut from an axis of 1000",
    );
  });
});
