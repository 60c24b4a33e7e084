/** Into which blocks the result of a product is cut, so that threads that take one after the other end together. */
import type { TileBlocks } from '../tiles.ts';

/** Blocks that there should be, for a few threads to share: where blocks as large as they may be are fewer, they are made smaller. */
const enough = 16;
/** Fewer register tiles one below the other than this would read panels too often. */
const leastTiles = 2;

/** The number of blocks of a product along each axis, where it is known. */
export interface ProductSize {
  readonly batch: number | undefined;
  readonly m: number | undefined;
  readonly n: number | undefined;
}

/** Rows and columns of a block: whole register tiles, at most those of `tile`, of about the same size everywhere. */
export function evenBlocks({ batch, m, n }: ProductSize, { mr, nr, mb, nb }: TileBlocks): { mb: number; nb: number } {
  const even = (size: number | undefined, most: number, tile: number): number => {
    const length = size === undefined ? most : size / Math.ceil(size / most);
    return Math.max(1, Math.ceil(length / tile)) * tile;
  };
  let [rows, columns] = [even(m, mb, mr), even(n, nb, nr)];
  if (batch === undefined || m === undefined || n === undefined) return { mb: rows, nb: columns };
  while (batch * Math.ceil(m / rows) * Math.ceil(n / columns) < enough) {
    if (rows > leastTiles * mr) rows = Math.max(leastTiles * mr, even(m, rows / 2, mr));
    else if (columns > nr) columns = even(n, columns / 2, nr);
    else break;
  }
  return { mb: rows, nb: columns };
}
