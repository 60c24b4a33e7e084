/** `sinter devices`: what this machine can run programs on. */
import { cpus } from 'node:os';
import { cpuRuntime } from '@sinter/backend-cpu/runtime';
import type { DeviceInfo } from '@sinter/backend-webgpu';
import { Command } from 'commander';
import { adapters } from '../backends.ts';
import type { Io } from '../output/io.ts';
import { working } from '../output/io.ts';
import { showBytes } from '../output/text.ts';

/** What is told of the CPU. */
interface CpuDescription {
  readonly name: string;
  readonly threads: number;
  /** Whether there are 128-bit vectors. */
  readonly simd: boolean;
  /** Whether there is fused multiply-add (relaxed SIMD). */
  readonly relaxedSimd: boolean;
}

/** Makes the command. */
export function devicesCommand(io: Io): Command {
  return new Command('devices')
    .description('List what this machine can run programs on: the CPU, and WebGPU adapters.')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExamples:\n  $ sinter devices\n  $ sinter devices --json')
    .action(async ({ json }: { readonly json?: true }) => {
      const cpu = await describeCpu();
      const webgpu = await working(io, 'asking for WebGPU adapters', adapters);
      io.out(json ? `${JSON.stringify({ cpu, webgpu: webgpu ?? null }, null, 2)}\n` : show(cpu, webgpu));
    });
}

async function describeCpu(): Promise<CpuDescription> {
  const { threads, fma, supports } = cpuRuntime();
  const simd = (await supports?.({ features: ['simd128'], limits: {} })) === undefined;
  return { name: cpus()[0]?.model.trim() ?? 'unknown', threads, simd, relaxedSimd: fma };
}

function show(cpu: CpuDescription, webgpu: readonly DeviceInfo[] | undefined): string {
  const vectors = !cpu.simd
    ? 'no SIMD: programs do not run here'
    : `SIMD, ${cpu.relaxedSimd ? 'relaxed SIMD (fused multiply-add)' : 'no relaxed SIMD'}`;
  const lines = [`cpu     ${cpu.name}: ${cpu.threads} ${cpu.threads === 1 ? 'thread' : 'threads'}, ${vectors}`];
  if (webgpu === undefined) lines.push('webgpu  not installed: npm install @sinter/backend-webgpu');
  else if (webgpu.length === 0) lines.push('webgpu  no adapter');
  else for (const adapter of webgpu) lines.push(`webgpu  ${showAdapter(adapter)}`);
  return `${lines.join('\n')}\n`;
}

function showAdapter({ name, software, features, maxBufferBytes, maxTensorBytes }: DeviceInfo): string {
  const told = ['shader-f16', 'subgroups', 'timestamp-query'].filter((feature) => features.includes(feature));
  const kind = software ? ' (software: right, but slow)' : '';
  const limits = `buffers of ${showBytes(maxBufferBytes)}, tensors of ${showBytes(maxTensorBytes)}`;
  return `${name}${kind}: ${told.join(', ') || 'no optional features'}; ${limits}`;
}
