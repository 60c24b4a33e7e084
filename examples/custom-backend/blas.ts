/**
 * A backend that hands contractions to a BLAS: it claims those that are matrix products of what lies in memory, and leaves all
 * else to the JavaScript backend that it is made from.
 */
import type { Backend, Region } from '@sinter/compiler';
import { BackendError, codeOf } from '@sinter/compiler/artifact';
import type { Data, Sizes } from '@sinter/ir';
import { labelSizes, parseSpec, shapeSize } from '@sinter/ir';
import { compileKernels, javascript, program, State } from './backend.js';

/** `c = op(a) · op(b)` of row-major matrices, where `op` may transpose; `ld` is how many elements lie from one row to the next. */
export type Sgemm = (product: {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: Matrix;
  readonly b: Matrix;
  readonly c: Matrix;
}) => void;

/** A matrix in memory. */
export interface Matrix {
  readonly data: Float32Array;
  readonly transposed: boolean;
  readonly ld: number;
}

/** A contraction as a matrix product: the labels of its axes, each a run of neighbours in both tensors that have it. */
interface Product {
  readonly batch: readonly string[];
  readonly m: readonly string[];
  readonly n: readonly string[];
  readonly k: readonly string[];
  /** The labels of the left and of the right operand and of the result, and whether these are the region's second and first. */
  readonly left: readonly string[];
  readonly right: readonly string[];
  readonly out: readonly string[];
  readonly swapped: boolean;
}

/** Reads a contraction as a matrix product, if it is one of what lies in memory as it is. */
function productOf({ spec, a, b, out }: Region): Product | undefined {
  if ([a, b, out].some((t) => t.dtype !== 'f32')) return undefined;
  const labels = parseSpec(spec);
  // Rows of the result are dense: the operand that has its last label is the right one.
  const swapped = labels.m.includes(labels.out.at(-1)!);
  const [left, right, m, n] = swapped
    ? [labels.b, labels.a, labels.n, labels.m]
    : [labels.a, labels.b, labels.m, labels.n];
  const product = { batch: labels.batch, m, n, k: labels.k, left, right, out: labels.out, swapped };
  const fits =
    isMatrix(left, m, labels.k) &&
    isMatrix(right, labels.k, n) &&
    isMatrix(labels.out, m, n) &&
    labels.out.at(-1) === n.at(-1);
  return fits ? product : undefined;
}

/** Whether rows and columns are runs of neighbouring labels, one of which ends the tensor: then one of them is dense. */
function isMatrix(names: readonly string[], rows: readonly string[], columns: readonly string[]): boolean {
  const text = names.join('');
  return (
    [rows, columns].every((run) => text.includes(run.join(''))) &&
    [rows, columns].some((run) => run.length > 0 && text.endsWith(run.join('')))
  );
}

/** Runs a region; its buffers are the operands and the result. */
function runProduct(region: Region, product: Product, sgemm: Sgemm, sizes: Sizes, buffers: readonly Data[]): void {
  const [first, second, c] = buffers as [Float32Array, Float32Array, Float32Array];
  const [sizeA, sizeB] = [region.a, region.b].map(({ shape }) => ({ shape: shapeSize(shape, sizes) }));
  const size = labelSizes(region.spec, parseSpec(region.spec), sizeA!, sizeB!) as ReadonlyMap<string, number>;
  const count = (names: readonly string[]): number => names.reduce((p, l) => p * size.get(l)!, 1);
  const stride = (names: readonly string[], label: string): number => count(names.slice(names.indexOf(label) + 1));
  const { batch, left, right, out } = product;
  const [m, n, k] = [count(product.m), count(product.n), count(product.k)];
  if (m * n * k === 0) {
    c.fill(0);
    return;
  }
  const matrix = (names: readonly string[], rows: readonly string[], columns: readonly string[]) => {
    const transposed = names.at(-1) !== columns.at(-1);
    const outer = transposed ? columns : rows;
    return { names, transposed, ld: stride(names, outer.at(-1)!) };
  };
  const a = matrix(left, product.m, product.k);
  const b = matrix(right, product.k, product.n);
  const result = matrix(out, product.m, product.n);
  const at = (names: readonly string[], index: number): number => {
    let [rest, offset] = [index, 0];
    for (const label of batch.toReversed()) {
      offset += (rest % size.get(label)!) * stride(names, label);
      rest = Math.floor(rest / size.get(label)!);
    }
    return offset;
  };
  const view = (data: Float32Array, { names, transposed, ld }: ReturnType<typeof matrix>, i: number): Matrix => ({
    data: data.subarray(at(names, i)),
    transposed,
    ld,
  });
  for (let i = 0; i < count(batch); i++) {
    sgemm({
      m,
      n,
      k,
      a: view(product.swapped ? second : first, a, i),
      b: view(product.swapped ? first : second, b, i),
      c: view(c, result, i),
    });
  }
}

/** The JavaScript backend, with contractions run by a BLAS. */
export function blas(sgemm: Sgemm): Backend {
  const name = 'javascript+blas';
  const plain = javascript();
  return {
    name,
    target: plain.target,
    claims: (region) => productOf(region) !== undefined,
    async build(plan) {
      const artifact = await plain.build(plan);
      const regions = JSON.stringify(plan.kernels.map((k) => k.region ?? null));
      return {
        ...artifact,
        backend: name,
        code: { ...artifact.code, 'regions.json': new TextEncoder().encode(regions) },
      };
    },
    async load(artifact, { state = new State() } = {}) {
      if (!(state instanceof State))
        throw new BackendError(`program '${artifact.name}': the state to share is that of another backend`);
      const code = codeOf(artifact, name, ['regions.json']);
      const regions = JSON.parse(new TextDecoder().decode(code['regions.json'])) as readonly (Region | null)[];
      const kernels = compileKernels(artifact, name).map((kernel, i) => {
        const region = regions[i];
        const product = region && productOf(region);
        return product
          ? (sizes: Sizes, ...buffers: Data[]) => runProduct(region, product, sgemm, sizes, buffers)
          : kernel;
      });
      return program(artifact, state, kernels);
    },
  };
}

/** Names under which a BLAS may be installed. */
const libraries = [
  'libopenblas.so.0',
  'libopenblas.so',
  'libopenblas.dylib',
  'libopenblas.dll',
  'libcblas.so.3',
  '/System/Library/Frameworks/Accelerate.framework/Accelerate',
];

/** The BLAS of this machine, or `undefined` after printing what was looked for. */
export async function openBlas(): Promise<Sgemm | undefined> {
  const { default: koffi } = await import('koffi');
  for (const library of libraries) {
    try {
      const gemm = koffi
        .load(library)
        .func(
          'void cblas_sgemm(int order, int ta, int tb, int m, int n, int k, float alpha, float *a, int lda, float *b, int ldb, float beta, float *c, int ldc)',
        );
      const [rowMajor, plain, transposed] = [101, 111, 112];
      return ({ m, n, k, a, b, c }) => {
        gemm(
          rowMajor,
          a.transposed ? transposed : plain,
          b.transposed ? transposed : plain,
          m,
          n,
          k,
          1,
          a.data,
          a.ld,
          b.data,
          b.ld,
          0,
          c.data,
          c.ld,
        );
      };
    } catch {
      // Not this one.
    }
  }
  console.warn(`skipped: no BLAS on this machine (${libraries.join(', ')}); on Debian: apt-get install libopenblas0`);
  return undefined;
}
