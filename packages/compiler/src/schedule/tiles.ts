/** Tile sizes of contractions: values that can be printed and overridden. */
import type { Target } from '../target.ts';
import type { ScheduleContext } from './draft.ts';

/** What the tiles of every machine have. */
export interface TileBlocks {
  /** Rows and columns of the register tile. */ readonly mr: number;
  readonly nr: number;
  /** Rows and columns of the block that one CPU thread or one GPU workgroup takes, multiples of the register tile. */
  readonly mb: number;
  readonly nb: number;
}
/** How a contraction is cut on a CPU. */
export interface CpuTile extends TileBlocks {
  /** How often the innermost loop is unrolled. */ readonly unroll: number;
}
/** How a contraction is cut on a GPU: a workgroup has `mb / mr · nb / nr` threads. */
export interface GpuTile extends TileBlocks {
  /**
   * Whether the workgroup brings its rows and columns into memory that it shares; else each thread reads what its own register
   * tile needs.
   */
  readonly shared: boolean;
  /** With `shared`: the elements along the inner axis that are brought at a time. */ readonly kb: number;
  /** The workgroups that keep the machine busy: where a result has fewer blocks, its inner axis is cut too. */
  readonly groups: number;
}
/** How a contraction is cut, on any machine. */
export interface Tile extends CpuTile, GpuTile {}

/**
 * Register tiles of WebAssembly with fused multiply-add. Where the left operand is read in place its rows lie apart, which the backend turns into
 * 12 accumulators; where rows lie side by side, V8 would spill those. Blocks of scores that are walked want even sizes.
 */
const fusedTiles = { 'in place': { mr: 6, nr: 8 }, packed: { mr: 3, nr: 12 }, walked: { mr: 4, nr: 8 } };

/**
 * The tile for a CPU. Vectors wider than WebAssembly's are native code, where a compiler gives each accumulator a register: 8 rows of two
 * vectors with 32 registers, 6 with 16. WebAssembly has four lanes and V8's registers: without fused multiply-add
 * the product needs a register of its own, and 8 accumulators are all that V8 keeps.
 */
export function cpuTile({ target, tile }: ScheduleContext, left: 'in place' | 'packed' | 'walked'): CpuTile {
  const lanes = target.vectorBytes / 4;
  const chosen =
    lanes > 4 || target.registers > 16
      ? { mr: target.registers > 16 ? 8 : 6, nr: 2 * lanes, unroll: 1, mb: 96, nb: 192 }
      : target.features.has('fma')
        ? { ...fusedTiles[left], unroll: 1, mb: 96, nb: 192 }
        : { mr: 2, nr: 16, unroll: 1, mb: 96, nb: 192 };
  return { ...chosen, ...tile };
}

/**
 * The tile for a GPU and a result of `elements` elements, if that is known. 16 × 16 threads of 4 × 4 results read two shared values
 * for every four products; with 8 × 8 results it is one for every four, where a result is large enough that its blocks still keep
 * the machine busy. A GPU that is emulated by a CPU pays for every barrier and has no memory that is nearer than another:
 * as many threads as it has lanes (four), with large tiles.
 *
 * @throws RangeError for a tile that a workgroup of the target cannot compute.
 */
export function gpuTile({ target, tile }: ScheduleContext, elements?: number): GpuTile {
  const groups = 64;
  const side = Math.min(16, 2 ** Math.floor(Math.log2(target.maxWorkgroup) / 2));
  const register = (elements ?? 0) >= 2 * groups * (8 * side) ** 2 ? 8 : 4;
  const block = register * side;
  const chosen = target.software
    ? { mr: 8, nr: 8, mb: 8, nb: 32, shared: false, kb: 1, groups: 4 }
    : { mr: register, nr: register, mb: block, nb: block, shared: true, kb: register === 8 ? 8 : 16, groups };
  return checked({ ...chosen, ...tile }, target);
}

function checked(tile: GpuTile, { maxWorkgroup, sharedBytes }: Target): GpuTile {
  const { mr, nr, mb, nb, kb, shared } = tile;
  const threads = (mb / mr) * (nb / nr);
  const bytes = shared ? 4 * kb * (mb + nb + 2) : 0;
  if (mb % mr !== 0 || nb % nr !== 0 || threads > maxWorkgroup || bytes > sharedBytes)
    throw new RangeError(
      `tile: a block of ${mb} × ${nb} in register tiles of ${mr} × ${nr} is ${threads} threads and ${bytes} bytes of shared memory; ` +
        `a workgroup has at most ${maxWorkgroup} and ${sharedBytes}, and a block is a whole number of register tiles`,
    );
  return tile;
}

/**
 * The work up to which an element of an operand is computed again by a contraction, in simple operations. A CPU packs each
 * element once. A GPU computes it for every block that reads it, and an emulated one for every tile.
 */
export function worthRecomputing({ kind, software }: Target): number {
  if (kind === 'cpu') return 40;
  return software ? 0 : 12;
}
