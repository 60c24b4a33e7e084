/** Where the tensors of a run lie: in one arena, cut into pages where it is larger than a buffer may be. */
import type { Sizes } from '@sinter/ir';
import { dtypeBytes } from '@sinter/ir';
import type { Artifact, Layout } from '@sinter/compiler/artifact';
import { arenaLayout, evaluateSize } from '@sinter/compiler/artifact';

/** Bindings begin at multiples of this everywhere (`minStorageBufferOffsetAlignment`). */
const align = 256;

/** The bytes of so many elements in whole words, at least one: a binding cannot be empty. */
export function bufferBytes(dtype: keyof typeof dtypeBytes, count: number): number {
  return Math.max(4, Math.ceil((count * dtypeBytes[dtype]) / 4) * 4);
}

/** Where a run's buffers lie in the arena, and how many bytes each is; both in the order of the artifact's buffers. */
export interface Placed extends Layout {
  readonly sizes: readonly number[];
}

/** Places the tensors of a run; none crosses a multiple of `page` bytes. */
export function placeInArena({ buffers, outputs, steps }: Artifact, sizes: Sizes, page: number): Placed {
  const bytes = buffers.map(({ dtype, length }) => bufferBytes(dtype, evaluateSize(length, sizes)));
  const words = buffers.map((b, i) => ({
    ...b,
    dtype: 'u32' as const,
    length: { k: 'const' as const, value: bytes[i]! / 4, dtype: 'i32' as const },
  }));
  return { ...arenaLayout({ buffers: words, outputs, steps }, sizes, align, page), sizes: bytes };
}
