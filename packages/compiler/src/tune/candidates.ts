/** The schedules that are tried: register tiles first, then blocks and unrolling with the best of these. */
import type { Schedule } from '../schedule/kernel-shape.ts';
import type { Target } from '../target.ts';

/**
 * What is tried for a target, in stages: every schedule of a stage is tried on top of the best of the stages before. Those that
 * a shape makes equal, or that the target cannot run, are for the caller to leave out.
 */
export function candidates(target: Target): readonly (readonly Schedule[])[] {
  if (target.kind === 'cpu') return [cpuRegisterTiles(target), cpuBlocks];
  return target.software ? [emulatedTiles] : [gpuTiles];
}

/** Whole vectors of columns, and as many rows as keep both multipliers busy without running out of registers. */
function cpuRegisterTiles({ vectorBytes, registers, features }: Target): Schedule[] {
  const lanes = vectorBytes / 4;
  // Besides the accumulators there are the columns, a row's element, and without fused multiply-add a product.
  const room = features.has('fma') ? registers - 2 : registers - 4;
  const tiles: Schedule[] = [];
  for (const [vectors, rows] of [
    [1, [6, 8, 12]],
    [2, [3, 4, 5, 6, 8, 10, 12, 14]],
    [3, [2, 3, 4, 6, 8, 9]],
    [4, [2, 3, 4, 6, 7]],
  ] as const)
    for (const mr of rows)
      if (mr * vectors <= room && 2 * mr * vectors >= room) tiles.push({ mr, nr: vectors * lanes });
  return tiles;
}

/** What a thread takes at a time, and how often its innermost loop is unrolled. */
const cpuBlocks: readonly Schedule[] = [
  { unroll: 2 },
  { unroll: 4 },
  { mb: 48, nb: 192 },
  { mb: 48, nb: 384 },
  { mb: 96, nb: 96 },
  { mb: 96, nb: 384 },
  { mb: 192, nb: 96 },
  { mb: 192, nb: 192 },
  { mb: 192, nb: 384 },
  { mb: 384, nb: 64 },
];

/** Tiles of threads and workgroups that bring slabs into shared memory, and some that do not. */
const gpuTiles: readonly Schedule[] = [
  { mr: 4, nr: 4, mb: 32, nb: 32, kb: 32 },
  { mr: 4, nr: 4, mb: 64, nb: 32, kb: 16 },
  { mr: 4, nr: 4, mb: 64, nb: 64, kb: 8 },
  { mr: 4, nr: 4, mb: 64, nb: 64, kb: 16 },
  { mr: 4, nr: 8, mb: 64, nb: 64, kb: 16 },
  { mr: 4, nr: 8, mb: 64, nb: 128, kb: 16 },
  { mr: 8, nr: 4, mb: 128, nb: 64, kb: 16 },
  { mr: 8, nr: 8, mb: 64, nb: 64, kb: 16 },
  { mr: 8, nr: 8, mb: 128, nb: 128, kb: 8 },
  { mr: 4, nr: 4, mb: 32, nb: 32, shared: false, kb: 1 },
];

/** Tiles of threads that are lanes of a CPU. */
const emulatedTiles: readonly Schedule[] = [
  { mr: 4, nr: 4, mb: 4, nb: 16 },
  { mr: 4, nr: 8, mb: 4, nb: 32 },
  { mr: 8, nr: 4, mb: 8, nb: 16 },
  { mr: 8, nr: 8, mb: 8, nb: 32 },
  { mr: 8, nr: 8, mb: 16, nb: 16 },
  { mr: 8, nr: 16, mb: 8, nb: 64 },
  { mr: 16, nr: 8, mb: 16, nb: 32 },
];
