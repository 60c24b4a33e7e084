/** The backends by name. The CPU is always there, with C code where there is a compiler; WebGPU is a package that may not be installed. */
import { cpuRuntime } from '@sinter/backend-cpu/runtime';
import type { Backend } from '@sinter/compiler';
import type * as WebGpu from '@sinter/backend-webgpu';
import type { DeviceInfo } from '@sinter/backend-webgpu';
import type * as WebGpuRuntime from '@sinter/backend-webgpu/runtime';
import type { Runtime } from '@sinter/compiler/artifact';
import { CliError } from './errors.ts';

/** The names of the backends that artifacts can be made for. */
export const targetNames = ['cpu', 'cpu-native', 'webgpu'] as const;
/** A name of a backend. */
export type TargetName = (typeof targetNames)[number];

/** What programs run on; a backend ignores what is not for it. */
export interface DeviceOptions {
  /** Threads of the CPU. Default: as many as the machine runs at once, at most 16. */
  readonly threads?: number | undefined;
  /** A part of the name of a WebGPU adapter. Default: the one that the host prefers. */
  readonly adapter?: string | undefined;
}

/** The backend of a name, to build with. @throws CliError if its package is not installed */
export async function backendOf(name: TargetName, { threads }: DeviceOptions = {}): Promise<Backend> {
  const on = threads === undefined ? {} : { threads };
  switch (name) {
    case 'cpu':
      return (await import('@sinter/backend-cpu')).cpu(on);
    case 'cpu-native':
      return (await import('@sinter/backend-cpu')).cpu({ target: 'native', ...on });
    case 'webgpu':
      return (await needed<typeof WebGpu>('@sinter/backend-webgpu')).webgpu();
    default:
      return name satisfies never;
  }
}

/** What loads artifacts of a backend. @throws CliError if its package is not installed, or it is a backend that nobody here knows; BackendError if there is no C compiler for native code */
export async function runtimeOf(backend: string, { threads, adapter }: DeviceOptions): Promise<Runtime> {
  switch (backend) {
    case 'cpu':
      return cpuRuntime(threads === undefined ? {} : { threads });
    case 'cpu-native': {
      const { nativeRuntime } = await import('@sinter/backend-cpu/runtime/native');
      return nativeRuntime(threads === undefined ? {} : { threads });
    }
    case 'webgpu':
      return (await needed<typeof WebGpuRuntime>('@sinter/backend-webgpu/runtime')).webgpuRuntime(
        adapter === undefined ? {} : { name: adapter },
      );
    default:
      throw new CliError(
        `the file was built for the backend '${backend}'; this command runs those for ${targetNames.join(', ')}`,
      );
  }
}

/** The WebGPU adapters of this machine; `undefined` if the backend is not installed. */
export async function adapters(): Promise<readonly DeviceInfo[] | undefined> {
  return (await optional<typeof WebGpuRuntime>('@sinter/backend-webgpu/runtime'))?.devices();
}

async function needed<T>(name: string): Promise<T> {
  const found = await optional<T>(name);
  if (!found) throw new CliError('webgpu needs a package that is not installed: npm install @sinter/backend-webgpu');
  return found;
}

/** A package that may not be there. Its name is a value, so that neither types nor bundlers look for it. */
async function optional<T>(name: string): Promise<T | undefined> {
  try {
    return (await import(name)) as T;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ERR_MODULE_NOT_FOUND' && message.includes('@sinter/backend-webgpu')) return undefined;
    throw error;
  }
}
