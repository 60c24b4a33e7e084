/** The rows of kind map: element by element, operands broadcast, the result a scalar expression. */
import type { DType } from '../dtype.ts';
import { isFloat } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import type { Expr } from '../expr.ts';
import { constant, dtypeOf, e } from '../expr.ts';
import type { MapOp } from '../op.ts';
import { broadcastShapes } from '../shape.ts';
import { Tensor } from '../tensor.ts';
import { full } from './source.ts';

type Vjp = MapOp<unknown>['vjp'];
const none: Vjp = (node) => node.inputs.map(() => undefined);

/** The dtype of the result: that of the operands, or fixed. */
type Result = 'same' | 'bool';

function row<A = object>(name: string, count: number, result: Result, scalar: MapOp<A>['scalar'], vjp: Vjp): MapOp<A> {
  return {
    name,
    kind: 'map',
    scalar,
    vjp,
    infer(inputs) {
      if (inputs.length !== count) throw new ShapeError(`${name}: takes ${count} operands, got ${inputs.length}`);
      const dtype = inputs[0]!.dtype;
      for (const x of inputs) {
        if (x.dtype !== dtype)
          throw new ShapeError(`${name}: operands are ${inputs.map(String).join(' and ')}; cast them to one dtype`);
      }
      return {
        shape: broadcastShapes(
          name,
          inputs.map((x) => x.shape),
        ),
        dtype: result === 'same' ? dtype : 'bool',
      };
    },
  };
}

const op =
  (m: MapOp<object>) =>
  (...inputs: Tensor[]): Tensor =>
    Tensor.make(m, inputs, {});
const like = (value: number, t: Tensor): Tensor => full([], value, t.dtype);

// Builders used by the gradient rules below; the typed ones for users stand in functions/.
const mulT = (a: Tensor, b: Tensor): Tensor => op(mul)(a, b);
const divT = (a: Tensor, b: Tensor): Tensor => op(div)(a, b);
const subT = (a: Tensor, b: Tensor): Tensor => op(sub)(a, b);
const negT = (a: Tensor): Tensor => op(neg)(a);
const whereT = (c: Tensor, a: Tensor, b: Tensor): Tensor => Tensor.make(where, [c, a, b], {});
const in0 = (n: Tensor): Tensor => n.inputs[0]!;
const in1 = (n: Tensor): Tensor => n.inputs[1]!;

export const add: MapOp<object> = row(
  'add',
  2,
  'same',
  ([a, b]) => e.add(a!, b!),
  (_, g) => [g, g],
);
export const sub: MapOp<object> = row(
  'sub',
  2,
  'same',
  ([a, b]) => e.sub(a!, b!),
  (_, g) => [g, negT(g)],
);
export const mul: MapOp<object> = row(
  'mul',
  2,
  'same',
  ([a, b]) => e.mul(a!, b!),
  (n, g) => [mulT(g, in1(n)), mulT(g, in0(n))],
);
export const div: MapOp<object> = row(
  'div',
  2,
  'same',
  ([a, b]) => e.div(a!, b!),
  (n, g) => {
    const ga = divT(g, in1(n));
    return [ga, negT(mulT(ga, n))];
  },
);
/** The remainder with the sign of the dividend, as C and JavaScript have it. */
export const mod: MapOp<object> = row('mod', 2, 'same', ([a, b]) => e.mod(a!, b!), none);
export const pow: MapOp<object> = row(
  'pow',
  2,
  'same',
  ([a, b]) => e.pow(a!, b!),
  (n, g) => [mulT(mulT(g, in1(n)), op(pow)(in0(n), subT(in1(n), like(1, n)))), mulT(mulT(g, n), op(log)(in0(n)))],
);
export const min: MapOp<object> = row(
  'min',
  2,
  'same',
  ([a, b]) => e.min(a!, b!),
  (n, g) => pick(op(le)(in0(n), in1(n)), g),
);
export const max: MapOp<object> = row(
  'max',
  2,
  'same',
  ([a, b]) => e.max(a!, b!),
  (n, g) => pick(op(le)(in1(n), in0(n)), g),
);
function pick(first: Tensor, g: Tensor): Tensor[] {
  return [whereT(first, g, like(0, g)), whereT(first, like(0, g), g)];
}

export const eq: MapOp<object> = row('eq', 2, 'bool', ([a, b]) => e.eq(a!, b!), none);
export const lt: MapOp<object> = row('lt', 2, 'bool', ([a, b]) => e.lt(a!, b!), none);
export const le: MapOp<object> = row('le', 2, 'bool', ([a, b]) => e.le(a!, b!), none);
export const and: MapOp<object> = row('and', 2, 'same', ([a, b]) => e.and(a!, b!), none);
export const or: MapOp<object> = row('or', 2, 'same', ([a, b]) => e.or(a!, b!), none);
export const xor: MapOp<object> = row('xor', 2, 'same', ([a, b]) => e.xor(a!, b!), none);
export const shl: MapOp<object> = row('shl', 2, 'same', ([a, b]) => e.shl(a!, b!), none);
export const shr: MapOp<object> = row('shr', 2, 'same', ([a, b]) => e.shr(a!, b!), none);

export const neg: MapOp<object> = row(
  'neg',
  1,
  'same',
  ([a]) => e.neg(a!),
  (_, g) => [negT(g)],
);
export const abs: MapOp<object> = row(
  'abs',
  1,
  'same',
  ([a]) => e.abs(a!),
  (n, g) => [mulT(g, signT(in0(n)))],
);
function signT(x: Tensor): Tensor {
  return whereT(op(lt)(like(0, x), x), like(1, x), whereT(op(lt)(x, like(0, x)), like(-1, x), like(0, x)));
}
export const exp: MapOp<object> = row(
  'exp',
  1,
  'same',
  ([a]) => e.exp(a!),
  (n, g) => [mulT(g, n)],
);
export const log: MapOp<object> = row(
  'log',
  1,
  'same',
  ([a]) => e.log(a!),
  (n, g) => [divT(g, in0(n))],
);
export const sqrt: MapOp<object> = row(
  'sqrt',
  1,
  'same',
  ([a]) => e.sqrt(a!),
  (n, g) => [divT(mulT(g, like(0.5, n)), n)],
);
export const sin: MapOp<object> = row(
  'sin',
  1,
  'same',
  ([a]) => e.sin(a!),
  (n, g) => [mulT(g, op(cos)(in0(n)))],
);
export const cos: MapOp<object> = row(
  'cos',
  1,
  'same',
  ([a]) => e.cos(a!),
  (n, g) => [negT(mulT(g, op(sin)(in0(n))))],
);
export const tanh: MapOp<object> = row(
  'tanh',
  1,
  'same',
  ([a]) => e.tanh(a!),
  (n, g) => [mulT(g, subT(like(1, n), mulT(n, n)))],
);
export const erf: MapOp<object> = row(
  'erf',
  1,
  'same',
  ([a]) => e.erf(a!),
  (n, g) => [mulT(mulT(g, like(2 / Math.sqrt(Math.PI), n)), op(exp)(negT(mulT(in0(n), in0(n)))))],
);
export const floor: MapOp<object> = row('floor', 1, 'same', ([a]) => e.floor(a!), none);
/** To the nearest integer, halves to even. */
export const round: MapOp<object> = row('round', 1, 'same', ([a]) => e.round(a!), none);

/** `condition ? a : b` element by element; the condition is `bool`. */
export const where: MapOp<object> = {
  name: 'where',
  kind: 'map',
  scalar: ([c, a, b]) => e.select(c!, a!, b!),
  infer(inputs) {
    const [c, a, b] = inputs;
    if (inputs.length !== 3 || c!.dtype !== 'bool' || a!.dtype !== b!.dtype) {
      throw new ShapeError(
        `where: wants a bool condition and two operands of one dtype, got ${inputs.map(String).join(', ')}`,
      );
    }
    return {
      shape: broadcastShapes(
        'where',
        inputs.map((x) => x.shape),
      ),
      dtype: a!.dtype,
    };
  },
  vjp: (n, g) => [undefined, ...pick(in0(n), g)],
};

/** Another dtype: floats to 32-bit integers truncate and saturate (NaN is 0), smaller integers keep the low bits, `bool` means ≠ 0. */
export const cast: MapOp<{ readonly dtype: DType }> = {
  name: 'cast',
  kind: 'map',
  scalar: ([a], { dtype }): Expr => (dtype === 'bool' ? e.not(e.eq(a!, constant(0, dtypeOf(a!)))) : e.cast(a!, dtype)),
  infer: ([x], { dtype }) => ({ shape: x!.shape, dtype }),
  vjp: (n, g) => [
    isFloat(in0(n).dtype) && isFloat(n.dtype) ? Tensor.make(cast, [g], { dtype: in0(n).dtype }) : undefined,
  ],
};

/** Passes its operand on, and stops the gradient. */
export const stopGradient: MapOp<object> = row('stopGradient', 1, 'same', ([a]) => a!, none);
