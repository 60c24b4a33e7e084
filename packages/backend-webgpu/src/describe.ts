/** The machines that plans for WebGPU are made for. */
import type { Feature, Target } from '@sinter/compiler';
import type { ScalarOp } from '@sinter/ir';
import { isSoftware } from './runtime/adapters.ts';

/**
 * Scalar ops that WGSL has with the meaning of the loop language. It has exp, log, tanh and others too, but each device to an
 * accuracy of its own: the compiler writes these in simpler ops, so that results are the same everywhere.
 */
// prettier-ignore
const spells: readonly ScalarOp[] = [
  'add', 'sub', 'mul', 'div', 'mod', 'min', 'max', 'lt', 'le', 'eq', 'and', 'or', 'xor', 'shl', 'shr', 'mulhi',
  'neg', 'abs', 'sqrt', 'floor', 'round', 'select', 'fma', 'cast', 'bitcast',
];

/** The limits of a device that matter to plans, by WebGPU's names. */
export type DeviceLimits = Pick<
  GPUSupportedLimits,
  | 'maxStorageBuffersPerShaderStage'
  | 'maxComputeInvocationsPerWorkgroup'
  | 'maxComputeWorkgroupSizeX'
  | 'maxComputeWorkgroupStorageSize'
  | 'maxStorageBufferBindingSize'
  | 'maxBufferSize'
>;

/** The limits that every device has. */
export const baseline: Readonly<Record<keyof DeviceLimits, number>> = {
  maxStorageBuffersPerShaderStage: 8,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupStorageSize: 16384,
  maxStorageBufferBindingSize: 128 << 20,
  maxBufferSize: 256 << 20,
};

/** The target of a device; without one, of every device. */
export function describeGpu(device?: {
  readonly limits: DeviceLimits;
  readonly features: ReadonlySet<string>;
  readonly adapterInfo?: GPUAdapterInfo;
}): Target {
  const limits = device?.limits ?? baseline;
  const has = (feature: string): boolean => device?.features.has(feature) ?? false;
  const features: Feature[] = ['fma', 'atomics'];
  if (has('shader-f16')) features.push('f16');
  if (has('subgroups')) features.push('subgroups');
  return {
    kind: 'gpu',
    software: device?.adapterInfo !== undefined && isSoftware(device.adapterInfo),
    spells: new Set(spells),
    reorders: true,
    vectorBytes: 16,
    registers: 128,
    cacheBytes: [16 << 10, 4 << 20],
    threads: 1 << 14,
    sharedBytes: limits.maxComputeWorkgroupStorageSize,
    maxWorkgroup: Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX),
    maxBindings: limits.maxStorageBuffersPerShaderStage,
    features: new Set(features),
  };
}
