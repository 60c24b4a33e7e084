/** `sinter devices`: what this machine can run programs on. */
import { cpus } from 'node:os';
import { cpuRuntime } from '@sinter/backend-cpu/runtime';
import { nativeRuntime } from '@sinter/backend-cpu/runtime/native';
import type { DeviceInfo } from '@sinter/backend-webgpu';
import { BackendError } from '@sinter/compiler/artifact';
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
  /** The C compiler for native code, or why there is none. */
  readonly native: { readonly compiler: string } | { readonly missing: string };
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
  const wasm = cpuRuntime();
  const lacks = await wasm.supports?.({ features: ['simd128'], limits: {} });
  return {
    name: cpus()[0]?.model.trim() ?? 'unknown',
    threads: wasm.threads,
    simd: lacks === undefined,
    relaxedSimd: wasm.fma,
    native: describeNative(),
  };
}

function describeNative(): CpuDescription['native'] {
  try {
    return { compiler: nativeRuntime().compiler.command };
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    return { missing: error.message };
  }
}

function show(cpu: CpuDescription, webgpu: readonly DeviceInfo[] | undefined): string {
  const { name, threads, simd, relaxedSimd, native } = cpu;
  const vectors = !simd
    ? 'no SIMD: programs do not run here'
    : `SIMD, ${relaxedSimd ? 'relaxed SIMD (fused multiply-add)' : 'no relaxed SIMD'}`;
  const lines = [
    ['cpu', `${name}: ${threads} ${threads === 1 ? 'thread' : 'threads'}, ${vectors}`],
    ['cpu-native', 'compiler' in native ? `C code, compiled by ${native.compiler}` : native.missing],
    ...(webgpu === undefined
      ? [['webgpu', 'not installed: npm install @sinter/backend-webgpu']]
      : webgpu.length === 0
        ? [['webgpu', 'no adapter']]
        : webgpu.map((adapter) => ['webgpu', showAdapter(adapter)])),
  ];
  return lines.map(([target, what]) => `${target!.padEnd(12)}${what}\n`).join('');
}

function showAdapter({ name, software, features, maxBufferBytes, maxTensorBytes }: DeviceInfo): string {
  const told = ['shader-f16', 'subgroups', 'timestamp-query'].filter((feature) => features.includes(feature));
  const kind = software ? ' (software: right, but slow)' : '';
  const limits = `buffers of ${showBytes(maxBufferBytes)}, tensors of ${showBytes(maxTensorBytes)}`;
  return `${name}${kind}: ${told.join(', ') || 'no optional features'}; ${limits}`;
}
