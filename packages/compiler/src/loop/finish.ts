/** The last steps of a kernel on its way into a plan, and how equal kernels are found. */
import type { DimRange } from '../artifact/format.ts';
import type { Target } from '../target.ts';
import { decompose } from './decompose.ts';
import type { Kernel, LoopExpr, Stmt } from './language.ts';
import { load } from './language.ts';
import { optimize } from './optimize.ts';
import { exprKey, mapExprs, partsOf, usesName, withExprs, withParts } from './walk.ts';

/** Kernels are made once for all that do the same, and so are what they become and the texts that find them. */
const mergedKernels = new WeakMap<Kernel, Map<string, Kernel>>();
const keys = new WeakMap<Kernel, string>();

/** A buffer that a kernel reads under one name and writes under another becomes one that it updates. */
export function mergeAliases(
  kernel: Kernel,
  bound: readonly number[],
): { readonly kernel: Kernel; readonly bound: readonly number[] } {
  const first = bound.map((b) => bound.indexOf(b));
  if (first.every((f, i) => f === i)) return { kernel, bound };
  let known = mergedKernels.get(kernel);
  if (!known) mergedKernels.set(kernel, (known = new Map<string, Kernel>()));
  let merged = known.get(first.join());
  if (!merged) known.set(first.join(), (merged = merge(kernel, first)));
  return { kernel: merged, bound: bound.filter((_, i) => first[i] === i) };
}

/** `first` says for each buffer which one it is the same as. */
function merge(kernel: Kernel, first: readonly number[]): Kernel {
  const names = new Map(kernel.buffers.map((b, i) => [b.name, kernel.buffers[first[i]!]!.name]));
  const rename = (name: string): string => names.get(name) ?? name;
  const buffers = kernel.buffers.flatMap((b, i) =>
    first[i] !== i ? [] : [{ ...b, access: first.filter((f) => f === i).length > 1 ? ('update' as const) : b.access }],
  );
  return { ...kernel, body: renameBuffers(kernel.body, rename), buffers };
}

function renameBuffers(body: readonly Stmt[], rename: (name: string) => string): Stmt[] {
  const seen = new Map<LoopExpr, LoopExpr>();
  const go = (x: LoopExpr): LoopExpr => {
    const known = seen.get(x);
    if (known) return known;
    const y = withParts(x, go);
    const out = y.k === 'load' ? load(rename(y.from), y.at, y.dtype) : y;
    seen.set(x, out);
    return out;
  };
  return body.map((s) => {
    const renamed = withExprs(s, go, (inner) => renameBuffers(inner, rename));
    return renamed.k === 'store' ? { ...renamed, to: rename(renamed.to) } : renamed;
  });
}

/** What a backend gets: in ops that the target can spell, optimized, with those sizes only that are used. */
export function finishKernel(kernel: Kernel, target: Target, dims: Readonly<Record<string, DimRange>>): Kernel {
  const spelled = { ...kernel, body: mapExprs(kernel.body, (x) => decompose(x, target.spells, target.reorders)) };
  const ready = optimize(spelled, { unroll: true, dims });
  return {
    ...ready,
    dims: ready.dims.filter((d) => usesName(ready.body, d)),
    // What does nothing needs no threads.
    workgroup: ready.body.length === 0 ? [1, 1, 1] : ready.workgroup,
  };
}

/** A text that is equal for kernels that do the same on their buffers. */
export function kernelKey(kernel: Kernel): string {
  let key = keys.get(kernel);
  if (key === undefined) keys.set(kernel, (key = textOf(kernel)));
  return key;
}

function textOf(kernel: Kernel): string {
  const ids = new Map<string, number>();
  const seen = new Map<LoopExpr, number>();
  const id = (x: LoopExpr): number => {
    const known = seen.get(x);
    if (known !== undefined) return known;
    const key = exprKey(x, partsOf(x).map(id).join());
    let n = ids.get(key);
    if (n === undefined) ids.set(key, (n = ids.size));
    seen.set(x, n);
    return n;
  };
  const text = (s: Stmt): string => {
    switch (s.k) {
      case 'for':
        return `for ${s.kind} ${s.name} ${id(s.count)}{${s.body.map(text).join(';')}}`;
      case 'if':
        return `if ${id(s.when)}{${s.body.map(text).join(';')}}`;
      case 'let':
        return `let ${s.name} ${id(s.value)}`;
      case 'store':
        return `store ${s.to} ${id(s.at)} ${id(s.value)}`;
      case 'alloc':
        return `alloc ${s.name} ${s.dtype} ${s.length} ${s.memory}`;
      case 'barrier':
        return 'barrier';
      default:
        return s satisfies never;
    }
  };
  const body = kernel.body.map(text).join(';');
  return `${kernel.buffers.map((b) => `${b.name}:${b.dtype}:${b.access}`).join()} ${body} ${[...ids.keys()].join('|')}`;
}
