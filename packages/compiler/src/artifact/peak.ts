/** How much memory a run takes: as a number for given sizes, and as an expression for all of them. */
import type { Expr, Sizes } from '@sinter/ir';
import { dtypeBytes } from '@sinter/ir';
import { checkSizes, fixedSizes } from './bind.ts';
import type { Artifact } from './format.ts';
import { arenaLayout, inArena } from './offsets.ts';
import { keepPrepared } from './prepare.ts';
import type { SizeJson } from './size.ts';

/** Bytes of the arena (inputs, outputs and everything between) of a run with these sizes, as a runtime lays it out; sizes that are fixed may be left out. */
export function peakBytes(artifact: Artifact, sizes: Sizes = {}): number {
  const all = { ...fixedSizes(artifact.dims), ...sizes };
  checkSizes(artifact.name, artifact.dims, all);
  return arenaLayout(keepPrepared(artifact), all).bytes;
}

/** A sum of products: how often each product of atoms is in it, by the JSON of its atoms. */
type Sum = ReadonlyMap<string, number>;

/**
 * The bytes that a run needs at least, over the run-time sizes: the largest sum, over the steps, of the buffers that live
 * then. What {@link peakBytes} gives is a little more, for alignment and gaps.
 */
export function peakExpression(artifact: Pick<Artifact, 'buffers' | 'steps' | 'dims' | 'prepare'>): SizeJson {
  const fixed = fixedSizes(artifact.dims);
  const buffers = keepPrepared(artifact)
    .buffers.filter(inArena)
    .map((b) => ({ live: b.live, bytes: scaled(sumOf(b.length, fixed), dtypeBytes[b.dtype]) }));
  let largest: Sum[] = [];
  for (let step = 0; step < Math.max(1, artifact.steps.length); step++) {
    const sum = added(buffers.filter(({ live }) => live[0] <= step && step <= live[1]).map(({ bytes }) => bytes));
    if (largest.some((other) => atMost(sum, other))) continue;
    largest = [...largest.filter((other) => !atMost(other, sum)), sum];
  }
  return largest.map(sumJson).reduce((a, b) => ['max', a, b]);
}

function sumOf(x: Expr, fixed: Sizes): Sum {
  switch (x.k) {
    case 'const':
      return new Map(x.value === 0 ? [] : [['[]', x.value]]);
    case 'var':
      return fixed[x.name] === undefined ? new Map([[JSON.stringify([x.name]), 1]]) : new Map([['[]', fixed[x.name]!]]);
    case 'op': {
      const [a, b] = [sumOf(x.args[0]!, fixed), sumOf(x.args[1]!, fixed)];
      if (x.op === 'add') return added([a, b]);
      if (x.op === 'sub') return added([a, scaled(b, -1)]);
      if (x.op === 'mul') return multiplied(a, b);
      return new Map([[JSON.stringify([[x.op, sumJson(a), sumJson(b)]]), 1]]);
    }
    default:
      return x satisfies never;
  }
}

function added(sums: readonly Sum[]): Sum {
  const out = new Map<string, number>();
  for (const sum of sums) for (const [atoms, count] of sum) out.set(atoms, (out.get(atoms) ?? 0) + count);
  return out;
}

function scaled(sum: Sum, by: number): Sum {
  return new Map([...sum].map(([atoms, count]) => [atoms, count * by]));
}

function multiplied(a: Sum, b: Sum): Sum {
  return added(
    [...a].flatMap(([x, m]) =>
      [...b].map(([y, n]): Sum => {
        const atoms = [...(JSON.parse(x) as SizeJson[]), ...(JSON.parse(y) as SizeJson[])];
        return new Map([[JSON.stringify(atoms.sort((p, q) => (String(p) < String(q) ? -1 : 1))), m * n]]);
      }),
    ),
  );
}

/** Whether `a ≤ b` for all sizes, as far as their terms tell: sizes and what is made of them are never negative. */
function atMost(a: Sum, b: Sum): boolean {
  return [...a, ...b].every(([atoms]) => (a.get(atoms) ?? 0) <= (b.get(atoms) ?? 0));
}

function sumJson(sum: Sum): SizeJson {
  const terms = [...sum]
    .filter(([, count]) => count !== 0)
    .map(([atoms, count]) => {
      const factors = JSON.parse(atoms) as SizeJson[];
      return (count === 1 && factors.length > 0 ? factors : [...factors, count]).reduce((a, b) => ['mul', a, b]);
    });
  return terms.length === 0 ? 0 : terms.reduce((a, b) => ['add', a, b]);
}
