/** A plan's kernels as one C source: a function for each kernel, and a table of them. The steps are walked by the runtime. */
import type { Kernel, Plan } from '@sinter/compiler';
import { expressions } from './expressions.ts';
import { elementType, newScope } from './names.ts';
import { statements } from './statements.ts';
import { vectorHeader } from './vectors.ts';
import { chooseLanes } from './widths.ts';

/**
 * One kernel as a C function. `b` are its buffers, `d` the run-time sizes in the order of `dims`. All threads call it: each takes iterations of its
 * `grid` loop; a kernel without one is run by the first thread.
 */
export function kernelSource(kernel: Kernel, symbol: string, dims: readonly string[], lanes: number): string {
  const scope = newScope(kernel.name);
  const x = expressions(scope);
  const grid = kernel.body.some((s) => s.k === 'for' && s.kind === 'grid');
  for (const { name, dtype, access } of kernel.buffers) {
    const c = scope.fresh(name);
    scope.places.set(name, { k: 'memory', c, dtype });
    const type = `${access === 'read' ? 'const ' : ''}${elementType(dtype)} *restrict`;
    scope.line(`${type} ${c} = b[${kernel.buffers.findIndex((other) => other.name === name)}];`);
  }
  for (const name of kernel.dims) {
    const c = scope.fresh(name);
    scope.values.set(name, { c, wide: true });
    scope.line(`const idx ${c} = d[${dims.indexOf(name)}];`);
  }
  if (!grid) scope.line('if (crew->thread != 0) return;');
  statements(scope, x, lanes, chooseLanes(kernel.body, lanes)).block(kernel.body, grid);
  return `// ${kernel.name}\nvoid ${symbol}(void *const *b, const i32 *d, const struct crew *crew) {\n  (void)b, (void)d, (void)crew;\n${scope.text()}\n}`;
}

/**
 * The source of a plan for vectors of `lanes` 32-bit elements. It may be compiled in parts: with `PART` and `PARTS` defined,
 * each part holds every `PARTS`th kernel, and the first one the table `sinter_kernels`.
 */
export function planSource(plan: Pick<Plan, 'kernels' | 'dims'>, lanes: number): string {
  const dims = Object.keys(plan.dims);
  const symbols = plan.kernels.map((kernel, i) => `k${i}_${kernel.name.replace(/\W/g, '_')}`);
  return [
    vectorHeader(lanes),
    '#ifndef PARTS\n#define PARTS 1\n#define PART 0\n#endif',
    ...plan.kernels.map(
      (kernel, i) => `#if ${i} % PARTS == PART\n${kernelSource(kernel, symbols[i]!, dims, lanes)}\n#endif`,
    ),
    '#if PART == 0',
    ...symbols.map((symbol) => `void ${symbol}(void *const *, const i32 *, const struct crew *);`),
    'typedef void kernel(void *const *, const i32 *, const struct crew *);',
    `kernel *const sinter_kernels[] = {${symbols.join(', ') || '0'}};`,
    '#endif',
    '',
  ].join('\n');
}
