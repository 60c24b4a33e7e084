/** Which examples go into which batch: a pure function of the arguments, the epoch and the lengths, so that a resumed run finds its place. */
import type { TrainingArguments } from '../arguments.ts';
import { permutation } from './random.ts';

/** The batches of an epoch, as positions in the dataset. `lengths` are those of the examples, for grouping. */
export function epochBatches(
  args: TrainingArguments,
  epoch: number,
  examples: number,
  lengths?: readonly number[],
): number[][] {
  const seed = ((args.data_seed ?? args.seed) + epoch) >>> 0;
  const order =
    args.train_sampling_strategy === 'sequential'
      ? Array.from({ length: examples }, (_, i) => i)
      : permutation(examples, seed);
  const size = args.per_device_train_batch_size;
  const sorted = lengths ? groupByLength(order, lengths, size * args.gradient_accumulation_steps) : order;
  const batches = inBatches(sorted, size);
  if (args.dataloader_drop_last && batches.at(-1)!.length < size) batches.pop();
  return batches;
}

/** Consecutive parts of `size`; the last may be smaller. */
export function inBatches<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}

/**
 * As `get_length_grouped_indices` of transformers: fifty batches at a time are sorted by length, longest first, and the
 * very longest example comes first of all, so that running out of memory happens at once.
 */
function groupByLength(order: readonly number[], lengths: readonly number[], batch: number): number[] {
  const many = Math.max(1, Math.min(Math.floor(order.length / (batch * 4)), 50)) * batch;
  const groups = inBatches(order, many).map((group) => group.sort((a, b) => lengths[b]! - lengths[a]!));
  const longest = groups.reduce((best, group, i) => (lengths[group[0]!]! > lengths[groups[best]![0]!]! ? i : best), 0);
  [groups[0]![0], groups[longest]![0]] = [groups[longest]![0]!, groups[0]![0]!];
  return groups.flat();
}
