/** 16-bit floats: every pattern is read and written as the interpreter does, alone and in vectors. */
import { describe, expect, test } from 'vitest';
import { conversions, mistake, wanted } from '../half.test.kit.ts';
import { compileKernels, nativeCompiler, testMachines } from './kernel.test.kit.ts';

const compiler = nativeCompiler();
const machines = testMachines(compiler);

describe.skipIf(!compiler).each([16, 8, 4])('%i lanes', (lanes) => {
  test.each(machines)('$command $machineFlags', async (machine) => {
    const compiled = await compileKernels(conversions.map(({ kernel }) => kernel), ['n'], { compiler: machine, lanes }); // prettier-ignore
    for (const [i, conversion] of conversions.entries()) {
      const got = conversion.y();
      await compiled.run(i, [conversion.x, got], { n: conversion.x.length });
      expect(mistake(conversion, got, wanted(conversion))).toBeUndefined();
    }
    compiled.close();
  });
});
