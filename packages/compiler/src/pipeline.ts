/** The table of contents of the compiler: the graph passes by name, each with what it guarantees. */
import type { Graph } from '@sinter/ir';
import { algebra } from './passes/algebra.ts';
import { mergeEqual } from './passes/cse.ts';
import { recognise } from './passes/recognise.ts';
import { reorderSums } from './passes/sums.ts';
import { foldTransposes } from './passes/transposes.ts';
import type { Target } from './target.ts';

/** A pass: graph to graph, same meaning. */
export interface Pass {
  readonly name: string;
  /** What holds of every graph after it. */
  readonly guarantees: string;
  /** The pass itself; `kind` is what the graph is compiled for. */
  readonly run: (g: Graph, kind: Target['kind']) => Graph;
}

/** The passes in the order in which they run. What follows them is fuse, lower, schedule and plan. */
export const passes: readonly Pass[] = [
  { name: 'merge equal', guarantees: 'no two nodes have the same op, operands and attributes', run: mergeEqual },
  {
    name: 'algebra',
    guarantees: 'maps over constants are constants; no identities, no views of like views',
    run: algebra,
  },
  {
    name: 'fold transposes',
    guarantees: 'no operand of a contraction is transposed: the labels say how it lies',
    run: foldTransposes,
  },
  {
    name: 'recognise',
    guarantees:
      'a reduction over the innermost axis is over it alone; contractions have rows and columns, or a matrix that lies in memory',
    run: recognise,
  },
  {
    name: 'reorder sums',
    guarantees: 'no sum over the columns of a product that is there in another order, over fewer elements',
    run: reorderSums,
  },
  { name: 'algebra again', guarantees: 'as before, for what was recognised', run: algebra },
  { name: 'merge again', guarantees: 'as before', run: mergeEqual },
];

/** Runs all passes for a kind of target (default `cpu`); `trace` sees the graph before the first and after each. */
export function simplifyGraph(g: Graph, trace?: (pass: string, g: Graph) => void, kind: Target['kind'] = 'cpu'): Graph {
  trace?.('input', g);
  for (const pass of passes) {
    g = pass.run(g, kind);
    trace?.(pass.name, g);
  }
  return g;
}
