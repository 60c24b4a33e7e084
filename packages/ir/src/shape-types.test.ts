import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, expectTypeOf, test } from 'vitest';
import type { DType, Shape, Tensor } from './index.ts';
import {
  add,
  broadcastTo,
  cast,
  concat,
  equal,
  expandDims,
  input,
  matmul,
  max,
  mean,
  mul,
  neg,
  reshape,
  ShapeError,
  squeeze,
  sum,
  transpose,
  where,
} from './index.ts';

const wide = (...shape: (number | string)[]): Tensor => input('wide', shape);

describe('matmul', () => {
  test('matrices, vectors and batches', () => {
    const a = input('a', [3, 4]);
    const b = input('b', [4, 5]);
    expectTypeOf(matmul(a, b)).toEqualTypeOf<Tensor<readonly [3, 5], 'f32'>>();
    expectTypeOf(matmul(input('v', [4]), b)).toEqualTypeOf<Tensor<readonly [5], 'f32'>>();
    expectTypeOf(matmul(a, input('v', [4]))).toEqualTypeOf<Tensor<readonly [3], 'f32'>>();
    expectTypeOf(matmul(input('v', [4]), input('w', [4]))).toEqualTypeOf<Tensor<readonly [], 'f32'>>();
    expectTypeOf(matmul(input('x', [2, 'seq', 4]), b)).toEqualTypeOf<Tensor<readonly [2, 'seq', 5], 'f32'>>();
    expectTypeOf(matmul(input('v', [4]), input('y', [7, 4, 5]))).toEqualTypeOf<Tensor<readonly [7, 5], 'f32'>>();
    expectTypeOf(matmul(input('x', ['batch', 1, 3, 4]), input('y', [7, 4, 5]))).toEqualTypeOf<
      Tensor<readonly ['batch', 7, 3, 5], 'f32'>
    >();
    expect(matmul(input('x', ['batch', 1, 3, 4]), input('y', [7, 4, 5])).shape).toEqual(['batch', 7, 3, 5]);
    expect(matmul(input('v', [4]), input('y', [7, 4, 5])).shape).toEqual([7, 5]);
  });

  test('what does not fit is refused, by the type checker and at run time', () => {
    // @ts-expect-error inner sizes differ: 784 ≠ 512
    expect(() => matmul(input('x', ['batch', 784]), input('w', [512, 10]))).toThrow(ShapeError);
    // @ts-expect-error inner sizes differ, by name
    expect(() => matmul(input('x', [3, 'seq']), input('w', ['batch', 10]))).toThrow(ShapeError);
    // @ts-expect-error batch axes do not broadcast
    expect(() => matmul(input('x', [2, 3, 4]), input('w', [5, 4, 3]))).toThrow(ShapeError);
    // @ts-expect-error a scalar has no inner axis
    expect(() => matmul(input('x', []), input('w', [5, 4]))).toThrow(ShapeError);
    // @ts-expect-error dtypes differ
    expect(() => matmul(input('x', [2, 3]), input('w', [3, 4], 'i32'))).toThrow(ShapeError);
  });
});

describe('broadcasting', () => {
  test('by numpy’s rule', () => {
    expectTypeOf(add(input('a', ['batch', 1, 5]), input('b', [4, 1]))).toEqualTypeOf<
      Tensor<readonly ['batch', 4, 5], 'f32'>
    >();
    expectTypeOf(mul(input('a', [3]), 2)).toEqualTypeOf<Tensor<readonly [3], 'f32'>>();
    expectTypeOf(add(1, input('a', [3], 'i32'))).toEqualTypeOf<Tensor<readonly [3], 'i32'>>();
    expectTypeOf(equal(input('a', ['seq']), input('b', []))).toEqualTypeOf<Tensor<readonly ['seq'], 'bool'>>();
    expectTypeOf(where(input('c', [2, 1], 'bool'), input('a', [3]), input('b', []))).toEqualTypeOf<
      Tensor<readonly [2, 3], 'f32'>
    >();
    expectTypeOf(neg(input('a', ['seq', 2]))).toEqualTypeOf<Tensor<readonly ['seq', 2], 'f32'>>();
    expectTypeOf(cast(input('a', ['seq', 2]), 'i32')).toEqualTypeOf<Tensor<readonly ['seq', 2], 'i32'>>();
    expectTypeOf(broadcastTo(input('a', [1]), [2, 3])).toEqualTypeOf<Tensor<readonly [2, 3], 'f32'>>();
  });

  test('what does not fit is refused', () => {
    // @ts-expect-error [3, 4] with [3]
    expect(() => add(input('a', [3, 4]), input('b', [3]))).toThrow(ShapeError);
    // @ts-expect-error [batch] with [seq]
    expect(() => add(input('a', ['batch']), input('b', ['seq']))).toThrow(ShapeError);
    // @ts-expect-error dtypes differ
    expect(() => add(input('a', [3]), input('b', [3], 'i32'))).toThrow(ShapeError);
  });
});

describe('shape', () => {
  test('reshape', () => {
    const x = input('x', ['batch', 'seq', 384]);
    expectTypeOf(reshape(x, ['batch', 'seq', 12, 32])).toEqualTypeOf<
      Tensor<readonly ['batch', 'seq', 12, 32], 'f32'>
    >();
    expectTypeOf(reshape(input('x', [2, 3]), [6])).toEqualTypeOf<Tensor<readonly [6], 'f32'>>();
    expectTypeOf(reshape(input('x', [1, 'a']), ['a'])).toEqualTypeOf<Tensor<readonly ['a'], 'f32'>>();
    expect(reshape(input('x', ['a', 'b']), ['a*b']).shape).toEqual(['a*b']);
    expect(reshape(input('x', [128, 384, 12]), [128, 12, 384]).shape).toEqual([128, 12, 384]);
    // @ts-expect-error 384 is not 12 · 31
    expect(() => reshape(x, ['batch', 'seq', 12, 31])).toThrow(ShapeError);
    // @ts-expect-error 6 is not 5
    expect(() => reshape(input('x', [2, 3]), [5])).toThrow(ShapeError);
  });

  test('transpose', () => {
    expectTypeOf(transpose(input('x', ['batch', 'seq', 12, 32]), [0, 2, 1, 3])).toEqualTypeOf<
      Tensor<readonly ['batch', 12, 'seq', 32], 'f32'>
    >();
    // @ts-expect-error too few axes
    expect(() => transpose(input('x', [2, 3]), [0])).toThrow(ShapeError);
    // @ts-expect-error axis 2 does not exist
    expect(() => transpose(input('x', [2, 3]), [0, 2])).toThrow(ShapeError);
    // @ts-expect-error axis 0 twice
    expect(() => transpose(input('x', [2, 3]), [0, 0])).toThrow(ShapeError);
  });

  test('concat', () => {
    expectTypeOf(concat([input('a', [2, 3]), input('b', [5, 3])])).toEqualTypeOf<Tensor<readonly [7, 3], 'f32'>>();
    expectTypeOf(concat([input('a', ['n', 384]), input('b', ['n', 384]), input('c', ['n', 1])], -1)).toEqualTypeOf<
      Tensor<readonly ['n', 769], 'f32'>
    >();
    expectTypeOf(concat([input('a', [2, 'past']), input('b', [2, 1])], 1)).toEqualTypeOf<
      Tensor<readonly [2, string], 'f32'>
    >();
    expect(concat([input('a', [2, 'past']), input('b', [2, 1])], 1).shape).toEqual([2, 'past+1']);
    const list: Tensor<Shape, 'f32'>[] = [input('a', [2, 3]), input('b', [5, 3])];
    expectTypeOf(concat(list, 0)).toEqualTypeOf<Tensor<Shape, 'f32'>>();
    // @ts-expect-error 3 ≠ 4 outside of axis 0
    expect(() => concat([input('a', [2, 3]), input('b', [5, 4])])).toThrow(ShapeError);
    // @ts-expect-error ranks differ
    expect(() => concat([input('a', [2, 3]), input('b', [5])])).toThrow(ShapeError);
  });

  test('reductions, new axes and axes of size 1', () => {
    const x = input('x', ['batch', 'seq', 384]);
    expectTypeOf(sum(x)).toEqualTypeOf<Tensor<readonly [], 'f32'>>();
    expectTypeOf(mean(x, { axes: 1 })).toEqualTypeOf<Tensor<readonly ['batch', 384], 'f32'>>();
    expectTypeOf(max(x, { axes: -1, keepdims: true })).toEqualTypeOf<Tensor<readonly ['batch', 'seq', 1], 'f32'>>();
    expectTypeOf(sum(x, { axes: [0, -1] })).toEqualTypeOf<Tensor<readonly ['seq'], 'f32'>>();
    expectTypeOf(sum(x, { axes: [] })).toEqualTypeOf<Tensor<readonly ['batch', 'seq', 384], 'f32'>>();
    expectTypeOf(sum(x, { keepdims: true })).toEqualTypeOf<Tensor<readonly [1, 1, 1], 'f32'>>();
    expectTypeOf(sum(x, { axes: [0] as number[] })).toEqualTypeOf<Tensor<Shape, 'f32'>>();
    expectTypeOf(sum(x, { axes: 0, keepdims: true as boolean })).toEqualTypeOf<Tensor<Shape, 'f32'>>();
    expectTypeOf(expandDims(x, 0)).toEqualTypeOf<Tensor<readonly [1, 'batch', 'seq', 384], 'f32'>>();
    expectTypeOf(expandDims(x, -1)).toEqualTypeOf<Tensor<readonly ['batch', 'seq', 384, 1], 'f32'>>();
    expectTypeOf(expandDims(x, 1)).toEqualTypeOf<Tensor<readonly ['batch', 1, 'seq', 384], 'f32'>>();
    expectTypeOf(squeeze(input('y', [1, 'seq', 1, 4]))).toEqualTypeOf<Tensor<readonly ['seq', 4], 'f32'>>();
    expectTypeOf(squeeze(input('y', [1, 'seq', 1, 4]), -2)).toEqualTypeOf<Tensor<readonly [1, 'seq', 4], 'f32'>>();
    expectTypeOf(squeeze(input('y', [1, 'seq', 1, 4]), [0, 2])).toEqualTypeOf<Tensor<readonly ['seq', 4], 'f32'>>();
    const shapes: Shape[] = [];
    for (const t of [
      sum(x),
      mean(x, { axes: 1 }),
      max(x, { axes: -1, keepdims: true }),
      expandDims(x, -1),
      expandDims(x, 1),
    ] as Tensor[])
      shapes.push(t.shape);
    expect(shapes).toEqual([
      [],
      ['batch', 384],
      ['batch', 'seq', 1],
      ['batch', 'seq', 384, 1],
      ['batch', 1, 'seq', 384],
    ]);
  });
});

test('a plain tensor passes everywhere', () => {
  const any = wide(3, 4);
  const x = input('x', [3, 4]);
  expectTypeOf(add(any, x)).toEqualTypeOf<Tensor<Shape, DType>>();
  expect(add(any, x as Tensor).shape).toEqual([3, 4]);
  expect(matmul(any, wide(4, 2)).shape).toEqual([3, 2]);
  expect(matmul(transpose(any, [1, 0]), x as Tensor).shape).toEqual([4, 4]);
  expect(reshape(any, [12]).shape).toEqual([12]);
  expect(concat([any, any], 1).shape).toEqual([3, 8]);
  expect(sum(any, { axes: 0 }).shape).toEqual([4]);
  expect(squeeze(expandDims(any, 1), 1).shape).toEqual([3, 4]);
  const partly: Tensor<readonly [number, 4], 'f32'> = x;
  expectTypeOf(matmul(partly, input('w', [4, 5]))).toEqualTypeOf<Tensor<readonly [number, 5], 'f32'>>();
  expectTypeOf(add(partly, x)).toEqualTypeOf<Tensor<readonly [3, 4], 'f32'>>();
  const known: Tensor = x;
  expectTypeOf(known.shape).toEqualTypeOf<Shape>();
  // @ts-expect-error a known shape is not another one
  const other: Tensor<readonly [4, 3]> = x;
  expect(other).toBe(x);
});

describe('the type checker itself', () => {
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  const check = (source: string): string => {
    const folder = mkdtempSync(path.join(path.dirname(fileURLToPath(import.meta.url)), '.check-'));
    try {
      writeFileSync(path.join(folder, 'a.ts'), source);
      writeFileSync(
        path.join(folder, 'tsconfig.json'),
        JSON.stringify({
          extends: '../../../../tsconfig.base.json',
          files: ['a.ts'],
          compilerOptions: { composite: false, noEmit: true, emitDeclarationOnly: false, declarationMap: false },
        }),
      );
      return execFileSync(process.execPath, [tsc, '-p', folder, '--extendedDiagnostics', '--pretty', 'false'], {
        encoding: 'utf8',
      });
    } catch (error) {
      return (error as { stdout: string }).stdout;
    } finally {
      rmSync(folder, { recursive: true });
    }
  };

  test('says what does not fit in words', () => {
    const out = check(`import { add, concat, input, matmul, reshape, transpose } from '../index.ts';
      matmul(input('x', ['batch', 784]), input('w', [512, 10]));
      add(input('a', [3, 4]), input('b', [3]));
      reshape(input('x', ['batch', 384]), ['batch', 12, 31]);
      transpose(input('x', [2, 3]), [0, 2]);
      concat([input('a', [2, 3]), input('b', [5, 4])]);`);
    for (const words of [
      '"matmul: inner sizes differ: 784 ≠ 512"',
      '"shapes do not broadcast: [3, 4] with [3]"',
      '"reshape: [batch, 384] has not the number of elements of [batch, 12, 31]"',
      '"transpose: [0, 2] names an axis that [2, 3] does not have"',
      '"concat: [2, 3], [5, 4] differ outside of axis 0"',
    ])
      expect(out).toContain(words);
    expect(out.match(/error TS/g)).toHaveLength(5);
  });

  test('takes a chain of 48 typed layers', () => {
    const lines = [
      `import { add, input, matmul, mean, reshape, sub, transpose } from '../index.ts';`,
      `const x0 = input('x', ['batch', 'seq', 384]);`,
    ];
    for (let i = 0; i < 48; i++) {
      lines.push(
        `const h${i} = transpose(reshape(add(matmul(x${i}, input('w', [384, 384])), input('b', [384])), ['batch', 'seq', 12, 32]), [0, 2, 1, 3]);`,
        `const p${i} = matmul(h${i}, transpose(h${i}, [0, 1, 3, 2]));`,
        `const y${i} = reshape(transpose(matmul(p${i}, h${i}), [0, 2, 1, 3]), ['batch', 'seq', 384]);`,
        `const x${i + 1} = add(y${i}, sub(x${i}, mean(x${i}, { axes: -1, keepdims: true })));`,
      );
    }
    const full = check(
      [...lines, `x48 satisfies import('../index.ts').Tensor<readonly ['batch', 'seq', 384], 'f32'>;`].join('\n'),
    );
    expect(full).not.toContain('error');
    // Instantiations are counted, not seconds: they are the same on every machine. 20,000 belong to the package itself.
    expect(Number(/Instantiations:\s+(\d+)/.exec(full)![1])).toBeLessThan(100_000);
  });
});
