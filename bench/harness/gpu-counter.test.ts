import { requestDevice } from '@sinter/backend-webgpu/runtime';
import { expect, test } from 'vitest';
import { globals } from 'webgpu';
import { accesses, countGpu, countRun, type GpuClasses } from './gpu-counter.ts';

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

const hasSoftwareAdapter = process.platform === 'linux' && process.arch === 'x64';
test.skipIf(!hasSoftwareAdapter)('counts what a device is asked, and nothing once removed', async () => {
  const device = await requestDevice({ software: true });
  const counter = countGpu(globals as unknown as GpuClasses);
  try {
    const code = `
      @group(0) @binding(0) var<storage, read> x: array<f32>;
      @group(0) @binding(1) var<storage, read_write> y: array<f32>;
      @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) { y[id.x] += x[id.x]; }`;
    const module = device.createShaderModule({ code });
    const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute: { module } });
    const usage = 0x80 | 0x8 | 0x4; // STORAGE, COPY_DST, COPY_SRC
    const buffer = (size: number) => device.createBuffer({ size, usage });
    const [x, y] = [buffer(1024), buffer(512)];
    const entries = [
      { binding: 0, resource: { buffer: x, offset: 256, size: 256 } },
      { binding: 1, resource: { buffer: y } },
    ];
    const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
    const run = async () => {
      device.queue.writeBuffer(x, 0, new Float32Array(256), 0, 64);
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(1);
      pass.dispatchWorkgroups(2);
      pass.end();
      encoder.copyBufferToBuffer(y, 0, x, 0, 128);
      device.queue.submit([encoder.finish()]);
      await device.queue.onSubmittedWorkDone();
    };
    // Each dispatch reads 256 bytes of x, and reads and writes the 512 of y.
    const counts = { kernels: 1, dispatches: 2, submits: 1, bytes: 2 * (256 + 2 * 512), copied: 256 + 128 };
    await run();
    expect(counter.take()).toEqual(counts);
    expect(await countRun(counter, run)).toEqual(counts);
    await run();
    expect(counter.take()).toEqual({ kernels: 0, dispatches: 0, submits: 0, bytes: 0, copied: 0 });
  } finally {
    counter.remove();
    device.destroy();
  }
});
