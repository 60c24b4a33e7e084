/** The adapters of this machine by their names. */
import { BackendError } from '@sinter/compiler/artifact';
import type { AdapterOptions } from './host.ts';
import { browser, inNode } from './host.ts';

/** An adapter that `devices()` has found. */
export interface DeviceInfo {
  /** What it calls itself; {@link AdapterOptions} `name` finds it by a part of this. */
  readonly name: string;
  readonly vendor: string;
  readonly architecture: string;
  /** Whether the processor does the work of a GPU. */
  readonly software: boolean;
  /** Names of WebGPU's features. */
  readonly features: readonly string[];
  /** The largest buffer, and the largest tensor that a kernel can reach, in bytes. */
  readonly maxBufferBytes: number;
  readonly maxTensorBytes: number;
  /** Memory that a workgroup shares, in bytes, and the threads that it may have. */
  readonly sharedBytes: number;
  readonly maxWorkgroup: number;
}

/** What there is to know of all adapters. */
export async function deviceInfos(options: AdapterOptions): Promise<DeviceInfo[]> {
  return [...(await adapters(options))].map(([name, { info, limits, features }]) => ({
    name,
    vendor: info.vendor,
    architecture: info.architecture,
    software: isSoftware(info),
    features: [...features].sort(),
    maxBufferBytes: limits.maxBufferSize,
    maxTensorBytes: limits.maxStorageBufferBindingSize,
    sharedBytes: limits.maxComputeWorkgroupStorageSize,
    maxWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
  }));
}

/** The first adapter with a name that contains `name`. */
export async function adapterByName(name: string, options: AdapterOptions): Promise<GPUAdapter> {
  const found = await adapters(options);
  for (const [full, adapter] of found) if (full.toLowerCase().includes(name.toLowerCase())) return adapter;
  const list = [...found.keys()].map((full) => `'${full}'`).join(', ');
  throw new BackendError(`webgpu: there is no adapter '${name}'; there are: ${list || '(none)'}`);
}

/** Whether the processor does the work of a GPU. */
export function isSoftware(info: GPUAdapterInfo): boolean {
  return (
    info.isFallbackAdapter === true ||
    /swiftshader|llvmpipe|basic render/i.test(`${info.architecture} ${info.description}`)
  );
}

async function adapters(options: AdapterOptions): Promise<Map<string, GPUAdapter>> {
  const gpu = browser();
  const found: (GPUAdapter | null)[] = [];
  if (gpu) {
    for (const powerPreference of ['high-performance', 'low-power'] as const)
      found.push(await gpu.requestAdapter({ powerPreference }));
    found.push(await gpu.requestAdapter({ forceFallbackAdapter: true }));
  } else if (inNode) found.push(...(await (await import('./node.ts')).nodeAdapters(options)));
  const named = new Map<string, GPUAdapter>();
  for (const adapter of found) if (adapter && !named.has(nameOf(adapter))) named.set(nameOf(adapter), adapter);
  return named;
}

/** What an adapter calls itself. */
function nameOf({ info }: GPUAdapter): string {
  return info.description || info.device || [info.vendor, info.architecture].filter(Boolean).join(' ') || 'unnamed';
}
