/**
 * Values and gradients of every function, computed by torch in double precision (`goldens/ops.json`; the generator and its
 * format stand in `tools/goldens`), and how each function is called.
 */
import type { DType, Shape, Tensor, TensorData } from '@sinter/ir';
import * as ir from '@sinter/ir';
import type { Tolerance } from './closeness.ts';
import { exact, ulps } from './closeness.ts';
import { tensorOf } from './data.ts';
import file from './goldens/ops.json' with { type: 'json' };

/** Elements as they are stored: integers as a list; reals as base64 behind a letter, `t` for thousandths as `i16`, `f` for `f32`. */
type Packed = string | readonly number[];
type PackedTensor = readonly [dtype: DType, shape: readonly number[], data: Packed];
type PackedGolden = readonly [
  op: string, attrs: Attrs, inputs: readonly PackedTensor[], output: PackedTensor,
  cotangent?: Packed, gradients?: readonly (Packed | null)[],
];

/** A tensor of a golden. */
export interface GoldenTensor extends TensorData { readonly dtype: DType }

/** One call of one function. */
export interface Golden {
  readonly op: string;
  readonly attrs: Attrs;
  readonly inputs: readonly GoldenTensor[];
  readonly output: GoldenTensor;
  /** With it, `gradients` has the cotangent of each input (`undefined` where it has none). */
  readonly cotangent?: TensorData;
  readonly gradients?: readonly (TensorData | undefined)[];
}

interface Attrs {
  readonly axis: number; readonly axes: number[]; readonly keepdims: boolean; readonly shape: number[]; readonly perm: number[];
  readonly starts: number[]; readonly ends: number[]; readonly steps: number[]; readonly low: number[]; readonly high: number[];
  readonly value: number; readonly spec: string; readonly size: number; readonly dtype: DType; readonly min: number; readonly max: number;
  readonly eps: number; readonly approximate: 'none' | 'tanh';
}

const packed: unknown = file;
/** All goldens. */
export const goldens: readonly Golden[] = (packed as readonly PackedGolden[]).map(
  ([op, attrs, inputs, output, cotangent, gradients]) => ({
    op, attrs, inputs: inputs.map(tensor), output: tensor(output),
    ...(cotangent !== undefined && { cotangent: tensorOf(output[1], elements(cotangent)) }),
    ...(gradients && { gradients: gradients.map((g, i) => (g === null ? undefined : tensorOf(inputs[i]![1], elements(g)))) }),
  }),
);

function tensor([dtype, shape, data]: PackedTensor): GoldenTensor {
  return { dtype, ...tensorOf(shape, elements(data), dtype) };
}

function elements(data: Packed): ArrayLike<number> {
  if (typeof data !== 'string') return data;
  const bytes = new DataView(Uint8Array.from(atob(data.slice(1)), (c) => c.charCodeAt(0)).buffer);
  return data.startsWith('t')
    ? Array.from({ length: bytes.byteLength / 2 }, (_, i) => bytes.getInt16(2 * i, true) / 1000)
    : Array.from({ length: bytes.byteLength / 4 }, (_, i) => bytes.getFloat32(4 * i, true));
}

type Build = (x: readonly Tensor[], a: Attrs) => Tensor;
const ids = (t: Tensor): Tensor<Shape, 'i32'> => t as Tensor<Shape, 'i32'>;
const flag = (t: Tensor): Tensor<Shape, 'bool'> => t as Tensor<Shape, 'bool'>;
const unary = (f: (x: Tensor) => Tensor): Build => ([x]) => f(x!);
const binary = (f: (a: Tensor, b: Tensor) => Tensor): Build => ([a, b]) => f(a!, b!);
const reduction = (f: typeof ir.sum): Build => ([x], { axes, keepdims }) => f(x!, { axes, keepdims }) as Tensor;
const orReduction = (two: (a: Tensor, b: Tensor) => Tensor, one: typeof ir.sum): Build => (x, a) => (x.length === 2 ? two(x[0]!, x[1]!) : reduction(one)(x, a));
const axisOf = (f: (x: Tensor, axis: number) => Tensor): Build => ([x], { axis }) => f(x!, axis);

/** How each golden's function is called. */
const calls: Readonly<Record<string, Build>> = {
  add: binary(ir.add), sub: binary(ir.sub), mul: binary(ir.mul), div: binary(ir.div), pow: binary(ir.pow), mod: binary(ir.mod),
  min: orReduction(ir.minimum, ir.min), max: orReduction(ir.maximum, ir.max),
  eq: binary(ir.equal), ne: binary(ir.notEqual), lt: binary(ir.less), le: binary(ir.lessEqual), gt: binary(ir.greater), ge: binary(ir.greaterEqual),
  and: binary(ir.and), or: binary(ir.or), xor: binary(ir.xor), shl: binary(ir.shl), shr: binary(ir.shr),
  neg: unary(ir.neg), abs: unary(ir.abs), exp: unary(ir.exp), log: unary(ir.log), sqrt: unary(ir.sqrt), rsqrt: unary(ir.rsqrt),
  reciprocal: unary(ir.reciprocal), sin: unary(ir.sin), cos: unary(ir.cos), tanh: unary(ir.tanh), erf: unary(ir.erf), sigmoid: unary(ir.sigmoid),
  relu: unary(ir.relu), silu: unary(ir.silu), softplus: unary(ir.softplus), square: unary(ir.square), sign: unary(ir.sign),
  floor: unary(ir.floor), ceil: unary(ir.ceil), round: unary(ir.round), not: unary((x) => ir.not(flag(x))),
  gelu: ([x], { approximate }) => ir.gelu(x!, { approximate }),
  cast: ([x], { dtype }) => ir.cast(x!, dtype),
  where: ([c, a, b]) => ir.where(flag(c!), a!, b!),
  clamp: ([x], { min, max }) => ir.clamp(x!, min, max),
  sum: reduction(ir.sum), mean: reduction(ir.mean), argmax: axisOf(ir.argmax),
  reshape: ([x], { shape }) => ir.reshape(x!, shape), broadcastTo: ([x], { shape }) => ir.broadcastTo(x!, shape),
  transpose: ([x], { perm }) => ir.transpose(x!, perm),
  slice: ([x], { starts, ends, steps }) => ir.slice(x!, { starts, ends, steps }),
  pad: ([x], { low, high, value }) => ir.pad(x!, low, high, value),
  concat: (x, { axis }) => ir.concat(x, axis), stack: (x, { axis }) => ir.stack(x, axis),
  squeeze: ([x], { axis }) => ir.squeeze(x!, axis), unsqueeze: ([x], { axis }) => ir.expandDims(x!, axis),
  flip: ([x], { axes }) => ir.flip(x!, axes),
  matmul: binary(ir.matmul), contract: ([a, b], { spec }) => ir.contract(spec, a!, b!),
  gather: ([table, i]) => ir.gather(table!, ids(i!)), embedding: ([i, table]) => ir.embedding(ids(i!), table!),
  takeAlongAxis: ([x, i], { axis }) => ir.takeAlongAxis(x!, ids(i!), axis),
  scatterAdd: ([i, updates], { size }) => ir.scatterAdd(ids(i!), updates!, size),
  softmax: axisOf(ir.softmax), logSoftmax: axisOf(ir.logSoftmax), logSumExp: axisOf(ir.logSumExp),
  layerNorm: ([x, gamma, beta], { eps }) => ir.layerNorm(x!, gamma!, beta!, eps),
  rmsNorm: ([x, gamma], { eps }) => ir.rmsNorm(x!, gamma!, eps),
  linear: ([x, weight, bias]) => ir.linear(x!, weight!, bias),
  crossEntropy: ([logits, labels]) => ir.crossEntropy(logits!, ids(labels!)),
};

/** The tensor that a golden describes, of tensors for its inputs. */
export function callGolden(golden: Golden, inputs: readonly Tensor[]): Tensor {
  const call = calls[golden.op];
  if (!call) throw new Error(`the golden '${golden.op}' has no call in goldens.ts`);
  return call(inputs, golden.attrs);
}

/** Functions that only move or choose numbers, or round once. */
const exactly = [
  'add', 'sub', 'mul', 'min', 'max', 'neg', 'abs', 'relu', 'square', 'sign', 'floor', 'ceil', 'round', 'cast', 'where', 'clamp', 'reshape', 'broadcastTo',
  'transpose', 'slice', 'pad', 'concat', 'stack', 'squeeze', 'unsqueeze', 'flip', 'gather', 'embedding', 'takeAlongAxis',
];
/** Functions of one number, which are good to a few units in the last place wherever they are. */
const inUlps: Readonly<Record<string, number>> = { div: 1, reciprocal: 1, sqrt: 1, rsqrt: 3, exp: 4 };

/** How close a forward value must be. */
export function forwardTolerance(op: string): Tolerance {
  return exactly.includes(op) ? exact : inUlps[op] ? ulps(inUlps[op]) : {};
}
