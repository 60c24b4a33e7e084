import { printKernel, runKernel } from '@sinter/compiler';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { inputs, outputs, randomBody, randomData, same } from '../random-kernel.test.kit.ts';
import { kernelOver } from '../wasm/kernel.test.kit.ts';
import { compileKernels, nativeCompiler, testMachines } from './kernel.test.kit.ts';

const compiler = nativeCompiler();
const runs = Number(process.env['SINTER_FUZZ_RUNS'] ?? 60);
const sizes = [0, 1, 3, 4, 6, 9];

const machines = testMachines(compiler);

describe.skipIf(!compiler).each([16, 8, 4])('%i lanes', (lanes) => {
  test.each(machines)(
    `${runs} random kernels give the same bits as the interpreter: $command $machineFlags`,
    async (machine) => {
      const streams = fc.sample(fc.infiniteStream(fc.nat(0x3fffffff)), {
        numRuns: runs,
        seed: lanes + machines.indexOf(machine),
      });
      const kernels = streams.map((numbers, i) => ({
        ...kernelOver(
          { ...inputs, ...outputs },
          ['n'],
          randomBody((below) => Number(numbers.next().value) % below),
        ),
        name: `kernel${i}`,
      }));
      const compiled = await compileKernels(kernels, ['n'], { compiler: machine, lanes });
      for (const [i, kernel] of kernels.entries()) {
        const n = sizes[i % sizes.length]!;
        const [want, got] = [randomData(), randomData()];
        runKernel(kernel, want, { n });
        await compiled.run(i, kernel.buffers.map((b) => got[b.name]!), { n }); // prettier-ignore
        for (const name of Object.keys(outputs)) {
          const at = [...got[name]!].findIndex((value, k) => !same([value], [want[name]![k]!]));
          if (at >= 0)
            expect.fail(
              `${name}[${at}] is ${got[name]![at]}, want ${want[name]![at]}, with n = ${n}, in\n${printKernel(kernel)}`,
            );
        }
      }
      compiled.close();
    },
    600_000,
  );
});
