/**
 * One WebGPU device for whatever engine this process serves: the machine's GPU through Dawn, or the software adapter where
 * there is none. Libraries made for pages find it as `navigator.gpu`.
 */
import { requestDevice } from '@sinter/backend-webgpu/runtime';
import { globals } from 'webgpu';
import { countGpu, countRun, type GpuClasses } from '../harness/gpu-counter.ts';
import type { OnGpu } from '../harness/serve.ts';
import type { Work } from '../harness/work.ts';
import { gpuWorks } from '../works/index.ts';

/** Requests the device and sets the globals. Call before a library that looks for them is imported. */
export async function provideWebGpu(work: Work): Promise<{ readonly device: GPUDevice; readonly gpu: OnGpu }> {
  const device = await requestDevice({ powerPreference: 'high-performance' });
  const { vendor, architecture, description } = device.adapterInfo;
  const name = [vendor, architecture, description].filter(Boolean).join(' ');
  if (gpuWorks.some((large) => large.name === work.name) && /swiftshader|llvmpipe/i.test(name))
    throw new Error(`it would take hours on the only adapter here, ${name}`);

  const adapter = { limits: device.limits, features: device.features, requestDevice: () => Promise.resolve(device) };
  const navigator = { gpu: { requestAdapter: () => Promise.resolve(adapter) }, userAgent: 'Node' };
  for (const [name, value] of Object.entries({ ...globals, navigator }))
    Object.defineProperty(globalThis, name, { value, configurable: true });

  const counter = countGpu(globals as unknown as GpuClasses);
  return { device, gpu: { adapter: name, counts: (run) => countRun(counter, run) } };
}
