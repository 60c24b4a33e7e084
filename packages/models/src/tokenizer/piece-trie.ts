/**
 * All pieces of a vocabulary by their code units: a trie in one hash table of numbers, since 250,000 pieces as objects would take seconds to
 * build and a hundred megabytes.
 */

/** Calls `found` with the id and the end of every piece that stands in `text` at `start`, the shortest first. */
export type PrefixSearch = (text: string, start: number, found: (id: number, end: number) => void) => void;

/** The search over `pieces`, whose ids are their numbers; of equal ones the last counts. */
export function pieceTrie(pieces: readonly string[]): PrefixSearch {
  const units = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const size = 2 ** Math.ceil(Math.log2(2 * units + 2));
  /** Open addressing: in each slot the parent and the unit of an edge, and the node it leads to (0: free; the root leads nowhere). */
  const parents = new Int32Array(size);
  const letters = new Uint16Array(size);
  const nodes = new Int32Array(size);
  const ids = new Int32Array(units + 1).fill(-1);
  let count = 1;

  const slotOf = (node: number, unit: number): number => {
    let slot = Math.imul(Math.imul(node, 0x9e3779b1) ^ unit, 0x85ebca6b) >>> 0;
    slot = (slot ^ (slot >>> 15)) & (size - 1);
    while (nodes[slot] !== 0 && (parents[slot] !== node || letters[slot] !== unit)) slot = (slot + 1) & (size - 1);
    return slot;
  };

  pieces.forEach((piece, id) => {
    if (piece === '') return;
    let node = 0;
    for (let i = 0; i < piece.length; i++) {
      const unit = piece.charCodeAt(i);
      const slot = slotOf(node, unit);
      if (nodes[slot] === 0) [parents[slot], letters[slot], nodes[slot]] = [node, unit, count++];
      node = nodes[slot]!;
    }
    ids[node] = id;
  });

  return (text, start, found) => {
    let node = 0;
    for (let i = start; i < text.length; i++) {
      node = nodes[slotOf(node, text.charCodeAt(i))]!;
      if (node === 0) return;
      if (ids[node]! >= 0) found(ids[node]!, i + 1);
    }
  };
}
