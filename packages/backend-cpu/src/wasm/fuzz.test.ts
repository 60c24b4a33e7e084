import { printKernel, runKernel } from '@sinter/compiler';
import type { DType } from '@sinter/ir';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inputs, outputs, randomBody, randomData, same } from '../random-kernel.test.kit.ts';
import { kernelOver, runOnWasm } from './kernel.test.kit.ts';

const runs = Number(process.env['SINTER_FUZZ_RUNS'] ?? 300);

test(`${runs} random kernels give the same bits as the interpreter`, () => {
  fc.assert(
    fc.property(
      fc.infiniteStream(fc.nat(0x3fffffff)),
      fc.constantFrom(0, 1, 3, 4, 6, 9),
      fc.boolean(),
      (numbers, n, fma) => {
        const kernel = kernelOver(
          { ...inputs, ...outputs },
          ['n'],
          randomBody((below) => Number(numbers.next().value) % below),
        );
        const want = randomData();
        runKernel(kernel, want, { n });
        const dtypes: Readonly<Record<string, DType>> = { ...inputs, ...outputs };
        const got = runOnWasm(
          kernel,
          Object.fromEntries(
            Object.entries(randomData()).map(([name, d]) => [name, { dtype: dtypes[name]!, data: d }]),
          ),
          { n },
          fma,
        );
        for (const name of Object.keys(outputs)) {
          if (!same(got[name]!, want[name]!)) {
            const i = [...got[name]!].findIndex((g, k) => !same([g], [want[name]![k]!]));
            expect.fail(
              `${name}[${i}] is ${got[name]![i]}, want ${want[name]![i]}, with n = ${n}, fma = ${fma}, in\n${printKernel(kernel)}`,
            );
          }
        }
      },
    ),
    { numRuns: runs },
  );
}, 600_000);
