/** Where the buffers of a program lie that are not state: constants and what is prepared in a block of their own, the rest in an arena per set of sizes. */
import type { Sizes } from '@sinter/ir';
import { dtypeBytes } from '@sinter/ir';
import type { Artifact, Layout } from '@sinter/compiler/artifact';
import { arenaLayout, BackendError, evaluateSize, fixedSizes } from '@sinter/compiler/artifact';
import { aligned } from './heap.ts';

/** Per plan buffer the offset of a constant or of what is prepared, counted from `start`, or −1; and where the last one ends. */
export function placeKept({ name, dims, buffers, constants }: Artifact, start = 0): { offsets: number[]; end: number } {
  const fixed = fixedSizes(dims);
  let end = start;
  const offsets = buffers.map((b) => {
    const isConstant = b.role === 'constant';
    if (!isConstant && b.role !== 'prepared') return -1;
    if (isConstant && !constants[b.name])
      throw new BackendError(`artifact '${name}' is incomplete: the constant '${b.name}' has no data; build it again`);
    const at = end;
    end += aligned(constants[b.name]?.byteLength ?? evaluateSize(b.length, fixed) * dtypeBytes[b.dtype]);
    return at;
  });
  return { offsets, end };
}

/** Layouts are kept for so many sets of sizes, the latest ones. */
const keptLayouts = 256;

/** The arena's layouts of a program: one object for each set of sizes, for as long as it is kept. */
export class Layouts {
  readonly #artifact: Artifact;
  readonly #known = new Map<string, Layout>();

  constructor(artifact: Artifact) {
    this.#artifact = artifact;
  }

  at(sizes: Sizes): Layout {
    const key = Object.keys(this.#artifact.dims)
      .map((d) => sizes[d])
      .join();
    const known = this.#known.get(key);
    if (known) return known;
    const layout = arenaLayout(this.#artifact, sizes);
    this.#known.set(key, layout);
    const oldest = this.#known.keys().next().value;
    if (this.#known.size > keptLayouts && oldest !== undefined) this.#known.delete(oldest);
    return layout;
  }
}
