import { testBackend } from '@sinter/conformance';
import { describe, test } from 'vitest';
import { webgpu } from '../src/index.ts';

const backend = webgpu();
// Kernels in the form that CPUs have: a thread for every iteration of the grid.
const target = { ...backend.target, kind: 'cpu', registers: 16, threads: 1 } as const;
testBackend('webgpu, kernels of the CPU form', () => ({ ...backend, target }), { describe, test, runs: 60 });
