/** Sizes as JSON: what a buffer's length or a peak of memory is, over the run-time sizes, in a form that people read too. */
import type { Expr, ScalarOp } from '@sinter/ir';

/** An integer, the name of a run-time size, or an operation on two of these: `["mul", "batch", 384]`. */
export type SizeJson = number | string | readonly [op: string, a: SizeJson, b: SizeJson];

/** A size as JSON. */
export function sizeToJson(x: Expr): SizeJson {
  switch (x.k) {
    case 'const':
      return x.value;
    case 'var':
      return x.name;
    case 'op':
      return [x.op, sizeToJson(x.args[0]!), sizeToJson(x.args[1]!)];
    default:
      return x satisfies never;
  }
}

/** The inverse of {@link sizeToJson}. */
export function sizeFromJson(x: SizeJson): Expr {
  if (typeof x === 'number') return { k: 'const', value: x, dtype: 'i32' };
  if (typeof x === 'string') return { k: 'var', name: x, dtype: 'i32' };
  return { k: 'op', op: x[0] as ScalarOp, args: [sizeFromJson(x[1]), sizeFromJson(x[2])], dtype: 'i32' };
}
