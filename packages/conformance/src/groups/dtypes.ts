/** Every row of the table of ops in every dtype that it takes: where a backend stands, op by op. */
import type { Backend, Program } from '@sinter/compiler';
import { BackendError, compile } from '@sinter/compiler';
import type { DType, Graph, Shape, Tensor } from '@sinter/ir';
import * as ir from '@sinter/ir';
import { assert, checkProgram } from '../check.ts';
import type { Tolerance } from '../closeness.ts';
import { noise } from '../data.ts';
import { firstLine } from '../record.ts';
import type { OpReport } from '../report.ts';
import type { Suite } from '../suite.ts';

/** Dtypes that a backend may refuse. */
const optional: ReadonlySet<DType> = new Set(['f16', 'bf16']);

/** Makes an operand of the dtype at hand. */
type Operand = (name: string, ...shape: number[]) => Tensor;
/** The dtypes of an op, and its result for operands of one of them. */
type Sample = readonly [dtypes: readonly DType[], result: (x: Operand, dtype: DType) => Tensor];

const real = ['f32', 'f16', 'bf16'] as const satisfies readonly DType[];
/** What is computed with; the others are stored, compared and moved. */
const numbers = [...real, 'i32', 'u32'] as const satisfies readonly DType[];
const whole = ['i32', 'u32', 'i8', 'u8', 'bool'] as const satisfies readonly DType[];
const signed = [...real, 'i32'] as const satisfies readonly DType[];
const all = ir.dtypes;

const one = (dtypes: readonly DType[], f: (x: Tensor) => Tensor): Sample => [dtypes, (x) => f(x('x', 3, 5))];
const two = (dtypes: readonly DType[], f: (a: Tensor, b: Tensor) => Tensor): Sample => [
  dtypes,
  (x) => f(x('a', 3, 5), x('b', 5)),
];
const rows: Tensor<Shape, 'i32'> = ir.constant(Int32Array.of(2, 0, 2), [3], 'i32');

const samples: Readonly<Record<string, Sample>> = {
  input: one(all, (x) => x),
  state: [all, (_, dtype) => ir.state('s', [3, 5], dtype)],
  constant: [all, (_, dtype) => ir.constant(values([3, 5], dtype, 1).data, [3, 5], dtype)],
  full: [all, (_, dtype) => ir.full([3, 5], 1, dtype)],
  iota: [['i32'], () => ir.iota([3, 5], 1)],
  dim: [numbers, (_, dtype) => ir.reshape(ir.dimValue('n', dtype), [1])],
  add: two(numbers, ir.add),
  sub: two(numbers, ir.sub),
  mul: two(numbers, ir.mul),
  div: two(numbers, ir.div),
  mod: two(numbers, ir.mod),
  pow: two(real, ir.pow),
  min: two(all, ir.minimum),
  max: two(all, ir.maximum),
  eq: two(all, ir.equal),
  lt: two(all, ir.less),
  le: two(all, ir.lessEqual),
  and: two(whole, ir.and),
  or: two(whole, ir.or),
  xor: two(whole, ir.xor),
  shl: two(['i32', 'u32'], ir.shl),
  shr: two(['i32', 'u32'], ir.shr),
  neg: one(signed, ir.neg),
  abs: one(signed, ir.abs),
  exp: one(real, ir.exp),
  log: one(real, ir.log),
  sqrt: one(real, ir.sqrt),
  sin: one(real, ir.sin),
  cos: one(real, ir.cos),
  tanh: one(real, ir.tanh),
  erf: one(real, ir.erf),
  floor: one(real, ir.floor),
  round: one(real, ir.round),
  where: two(all, (a, b) => ir.where(ir.less(ir.iota([5], 0), 2), a, b)),
  cast: [all, castFromAll],
  stopGradient: one(all, ir.stopGradient),
  reduceSum: one(numbers, (x) => ir.sum(x, { axes: 1 })),
  reduceMax: one(all, (x) => ir.max(x, { axes: 0 })),
  reduceMin: one(all, (x) => ir.min(x)),
  reshape: one(all, (x) => ir.reshape(x, [5, 3])),
  transpose: one(all, (x) => ir.transpose(x, [1, 0])),
  broadcastTo: one(all, (x) => ir.broadcastTo(x, [2, 3, 5])),
  slice: one(all, (x) => ir.slice(x, { starts: [1, 0], ends: [3, 5], steps: [1, 2] })),
  unslice: one(real, (x) => transposed(x, (y) => ir.slice(y, { starts: [1, 0], ends: [3, 5], steps: [1, 2] }))),
  concat: two(all, (a, b) => ir.concat([a, ir.reshape(b, [1, 5]), a])),
  barrier: two(all, (a, b) => ir.barrier(a, b)),
  checkpoint: one(all, (x) => ir.checkpoint((a: Tensor) => a)(x)),
  flip: one(all, (x) => ir.flip(x, [1])),
  window: one(all, (x) => ir.windows(x, 1, { size: 3, stride: 2 })),
  unwindow: one(real, (x) => transposed(x, (y) => ir.windows(y, 1, { size: 3, stride: 2 }))),
  contract: two(numbers, (a, b) => ir.matmul(a, ir.transpose(ir.concat([a, ir.reshape(b, [1, 5])]), [1, 0]))),
  gather: one(all, (x) => ir.gather(x, rows)),
  scatterAdd: one(numbers, (x) => ir.scatterAdd(rows, x, 4)),
  updateSlice: [
    all,
    (x) => ir.updateSlice(x('x', 3, 5), x('part', 2, 2), ir.constant(Int32Array.of(1, 2), [2], 'i32')),
  ],
  uniform: [['f32'], () => ir.uniform(ir.input('key', [2], 'u32'), [3, 5], 1)],
};

/** Casts to a dtype from all others, as far as a backend that refuses what is optional must have them, and back where the dtype is optional. */
function castFromAll(x: Operand, dtype: DType): Tensor {
  const from = optional.has(dtype) ? all : all.filter((d) => !optional.has(d));
  const made = ir.concat(from.map((d) => ir.cast(x(`from ${d}`, 3, 5), dtype)));
  return optional.has(dtype) ? ir.cast(made, 'f32') : made;
}

/** The gradient of a view of `x` by `x`, for a cotangent that is that view: the op that undoes it. */
function transposed(x: Tensor, view: (x: Tensor) => Tensor): Tensor {
  return ir.vjp([view(x)], [view(x)], [x])[0]!;
}

/** Numbers of every dtype for which every op is defined: above zero, and few enough that sums fit. */
function values(shape: readonly number[], dtype: DType, seed: number): ir.TensorData {
  return noise(shape, {
    seed,
    dtype,
    ...(ir.isFloat(dtype) ? { low: 0.25, high: 1.75 } : { low: 1, high: dtype === 'bool' ? 2 : 6 }),
  });
}

/** Two units in the last place of the 16-bit floats; sums of these may round on the way. */
const tolerances: Partial<Record<DType, Tolerance>> = { f16: { relative: 2 ** -9 }, bf16: { relative: 2 ** -6 } };

/** One test per op, over its dtypes. */
export function dtypeTests({ describe, test, backend, note }: Suite): void {
  describe('every op in every dtype', () => {
    test('the table of ops', async () => {
      const missing = [...ir.ops.keys()].filter((name) => !(name in samples));
      assert(missing.length === 0, `no sample of ${missing.join(', ')}`);
    });
    for (const [op, [dtypes, sample]] of Object.entries(samples))
      test(
        op,
        async () => {
          const on = await backend();
          const wrong: OpReport[] = [];
          for (const dtype of dtypes) {
            const found = { op, dtype, ...(await outcome(sampleGraph(op, dtype, sample), on, tolerances[dtype])) };
            note(found);
            if (found.outcome === 'failed' || (found.outcome === 'refused' && !optional.has(dtype))) wrong.push(found);
          }
          assert(wrong.length === 0, wrong.map(({ dtype, why }) => `${dtype}: ${why}`).join('\n'));
        },
        60_000,
      );
  });
}

function sampleGraph(op: string, dtype: DType, sample: Sample[1]): Graph {
  const result = sample(
    (name, ...shape) => ir.input(name, shape, name.startsWith('from ') ? (name.slice(5) as DType) : dtype),
    dtype,
  );
  return ir.graph(`${op} of ${dtype}`, {
    outputs: { result, ...(op === 'dim' && { sized: ir.input('sized', ['n']) }) },
    ...(op === 'state' && { updates: { s: ir.flip(result, [0]) } }),
  });
}

async function outcome(
  g: Graph,
  on: Backend,
  tolerance: Tolerance | undefined,
): Promise<Pick<OpReport, 'outcome' | 'why'>> {
  let program: Program;
  try {
    program = await compile(g, on);
  } catch (error) {
    return { outcome: error instanceof BackendError ? 'refused' : 'failed', why: firstLine(error) };
  }
  try {
    const some = (tensors: ir.Tensors): Record<string, ir.TensorData> =>
      Object.fromEntries(
        Object.entries(tensors).map(([name, t], i) => [name, values(ir.shapeSize(t.shape, { n: 3 }), t.dtype, i)]),
      );
    await checkProgram(g, program, { inputs: some(g.inputs), state: some(g.state), ...(tolerance && { tolerance }) });
    return { outcome: 'passed' };
  } catch (error) {
    return { outcome: 'failed', why: firstLine(error) };
  } finally {
    program.close();
    await program[Symbol.asyncDispose]();
  }
}
