/** Contraction: sums of products named by labels, as in Einstein's notation. Matmul is one; its gradients are others. */
import { dataFor, decoder, encoder } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import type { StructuredOp } from '../op.ts';
import type { Dim } from '../shape.ts';
import { showShape } from '../shape.ts';
import { Tensor } from '../tensor.ts';

/** `spec` is `'a,b->out'` with one letter per axis. */
export interface ContractAttrs {
  readonly spec: string;
}

/** The labels of a contraction, sorted by the part they play. */
export interface Labels {
  readonly a: readonly string[];
  readonly b: readonly string[];
  readonly out: readonly string[];
  /** In both operands and in the result. */ readonly batch: readonly string[];
  /** In the first operand and in the result. */ readonly m: readonly string[];
  /** In the second operand and in the result. */ readonly n: readonly string[];
  /** In both operands, summed away. */ readonly k: readonly string[];
}

/** Reads `'bsd,ed->bse'`. Every label must stand in exactly two of the three places, or in all three. */
export function parseSpec(spec: string): Labels {
  const match = /^(\w*),(\w*)->(\w*)$/.exec(spec.replaceAll(' ', ''));
  if (!match) throw new ShapeError(`contract: '${spec}' is not of the form 'ab,bc->ac'`);
  const [a, b, out] = match.slice(1).map((s) => [...s]) as [string[], string[], string[]];
  for (const labels of [a, b, out]) {
    if (new Set(labels).size !== labels.length)
      throw new ShapeError(`contract: '${spec}' names a label twice in one operand; take a diagonal first`);
  }
  const all = [...new Set([...a, ...b, ...out])];
  for (const l of all) {
    if ([a, b, out].filter((x) => x.includes(l)).length < 2)
      throw new ShapeError(
        `contract: label '${l}' of '${spec}' stands in one place only; sum or broadcast that axis first`,
      );
  }
  return {
    a,
    b,
    out,
    batch: out.filter((l) => a.includes(l) && b.includes(l)),
    m: out.filter((l) => a.includes(l) && !b.includes(l)),
    n: out.filter((l) => b.includes(l) && !a.includes(l)),
    k: a.filter((l) => b.includes(l) && !out.includes(l)),
  };
}

/** The size of every label, checked between the operands. */
export function labelSizes<T extends { readonly shape: readonly Dim[] }>(
  spec: string,
  labels: Labels,
  a: T,
  b: T,
): Map<string, Dim> {
  const sizes = new Map<string, Dim>();
  for (const [names, x] of [
    [labels.a, a],
    [labels.b, b],
  ] as const) {
    if (names.length !== x.shape.length)
      throw new ShapeError(`contract: '${spec}' names ${names.length} axes of ${showShape(x.shape)}`);
    names.forEach((l, i) => {
      const known = sizes.get(l);
      if (known !== undefined && known !== x.shape[i]) {
        throw new ShapeError(
          `contract: inner sizes differ: axis '${l}' of '${spec}' is ${known} in ${showShape(a.shape)} and ${x.shape[i]} in ${showShape(b.shape)}`,
        );
      }
      sizes.set(l, x.shape[i]!);
    });
  }
  return sizes;
}

export const contractOp: StructuredOp<ContractAttrs> = {
  name: 'contract',
  kind: 'contract',
  infer(inputs, { spec }) {
    const [a, b] = inputs;
    if (inputs.length !== 2 || a!.dtype !== b!.dtype)
      throw new ShapeError(`contract: wants two operands of one dtype, got ${inputs.map(String).join(' and ')}`);
    const labels = parseSpec(spec);
    const sizes = labelSizes(spec, labels, a!, b!);
    return { shape: labels.out.map((l) => sizes.get(l)!), dtype: a!.dtype };
  },
  vjp(node, g) {
    const { a, b, out } = parseSpec((node.attrs as ContractAttrs).spec);
    const [x, y] = node.inputs as [Tensor, Tensor];
    return [
      contract(`${out.join('')},${b.join('')}->${a.join('')}`, g, y),
      contract(`${a.join('')},${out.join('')}->${b.join('')}`, x, g),
    ];
  },
  evaluate(node, args, shape) {
    const { spec } = node.attrs as ContractAttrs;
    const labels = parseSpec(spec);
    const [a, b] = args as [(typeof args)[0] & object, (typeof args)[0] & object];
    const sizes = labelSizes(spec, labels, a, b) as Map<string, number>;
    const stridesOf = (names: readonly string[], loop: readonly string[]): number[] =>
      loop.map((l) => {
        const i = names.indexOf(l);
        return i < 0 ? 0 : names.slice(i + 1).reduce((p, n) => p * sizes.get(n)!, 1);
      });
    const result = dataFor(
      node.dtype,
      shape.reduce((p, d) => p * d, 1),
    );
    const [getA, getB, put] = [decoder(a.dtype), decoder(b.dtype), encoder(node.dtype)];
    const offsets = (names: readonly string[], loop: readonly string[]): Float64Array => {
      const steps = stridesOf(names, loop);
      const dims = loop.map((l) => sizes.get(l)!);
      const out = new Float64Array(dims.reduce((p, d) => p * d, 1));
      for (let i = 0; i < out.length; i++) {
        let rest = i;
        for (let j = dims.length - 1; j >= 0; j--) {
          out[i]! += (rest % dims[j]!) * steps[j]!;
          rest = Math.floor(rest / dims[j]!);
        }
      }
      return out;
    };
    const [ao, bo] = [offsets(labels.a, labels.out), offsets(labels.b, labels.out)];
    const [ak, bk] = [offsets(labels.a, labels.k), offsets(labels.b, labels.k)];
    for (let i = 0; i < result.length; i++) {
      let sum = 0;
      for (let k = 0; k < ak.length; k++) sum += getA(a.data[ao[i]! + ak[k]!]!) * getB(b.data[bo[i]! + bk[k]!]!);
      result[i] = put(sum);
    }
    return result;
  },
};

/** A contraction: `contract('bsd,ed->bse', x, w)` multiplies along `d` and keeps the rest. */
export function contract(spec: string, a: Tensor, b: Tensor): Tensor {
  return Tensor.make(contractOp, [a, b], { spec: spec.replaceAll(' ', '') });
}
