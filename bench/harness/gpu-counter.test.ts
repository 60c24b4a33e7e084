import { expect, test } from 'vitest';
import { accesses } from './gpu-counter.ts';

const shader = (body: string) => `
  enable subgroups; // var<storage, read> commented : array<f32>; a[0] = 1;
  struct Two { x: f32, y: vec2<f32> }
  @group(0) @binding(0) var<storage, read_write> a: array<f32>;
  @binding(3) @group(1) var<storage, read> b : array<Two>;
  @group(0) @binding(1) var<storage, read_write> c: array<atomic<u32>>;
  @group(0) @binding(2) var<uniform> sizes: vec4<i32>;
  fn f() { ${body} }`;

test.each([
  ['a[0] = 1.0;', 'a: store'],
  ['a[i + idx(a_[0], 2)] = b[i].y.x;', 'a: store, b: load'],
  ['a[i] += 1.0;', 'a: load store'],
  ['a[i] = a[i + 1];', 'a: load store'],
  ['if (a[0] == 1.0) { return; }', 'a: load'],
  ['if (x && a[b[2].x] >= 1.0) { return; }', 'a: load, b: load'],
  ['_ = &a; let n = arrayLength(&b); q.a[0] = 1;', ''],
  ['atomicStore(&c[i], 1u);', 'c: store'],
  ['let x = atomicLoad(&c[0]); atomicAnd(&c[i], 1u); atomicOr(&c[i], 2u);', 'c: load store'],
  ['let p = &a;', 'a: load store'],
  ['a[c_[i]] = select(0, 1, b[0].x <= 2);', 'a: store, b: load'],
])('%s', (body, expected) => {
  const names = new Map([
    ['0/0', 'a'],
    ['1/3', 'b'],
    ['0/1', 'c'],
  ]);
  const found = accesses(shader(body)).map(({ group, binding, loads, stores }) => {
    const what = [loads && 'load', stores && 'store'].filter(Boolean).join(' ');
    return what && `${names.get(`${group}/${binding}`)}: ${what}`;
  });
  expect(found).toHaveLength(3);
  expect(found.filter(Boolean).join(', ')).toBe(expected);
});
