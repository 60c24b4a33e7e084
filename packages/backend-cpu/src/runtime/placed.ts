/** Where the buffers of a program lie that are not state: constants in a block of their own, the rest in an arena per set of sizes. */
import type { Sizes } from '@sinter/ir';
import type { Artifact, Layout } from '@sinter/compiler/artifact';
import { arenaLayout, BackendError } from '@sinter/compiler/artifact';
import { aligned } from './heap.ts';

/** Per plan buffer the offset of a constant, counted from `start`, or −1; and where the last one ends. */
export function placeConstants({ name, buffers, constants }: Artifact, start = 0): { offsets: number[]; end: number } {
  let end = start;
  const offsets = buffers.map((b) => {
    if (b.role !== 'constant') return -1;
    const data = constants[b.name];
    if (!data)
      throw new BackendError(`artifact '${name}' is incomplete: the constant '${b.name}' has no data; build it again`);
    end += aligned(data.byteLength);
    return end - aligned(data.byteLength);
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
