import fc from 'fast-check';
import { expect, test } from 'vitest';
import { aligned, alignment, Heap } from './heap.ts';

test('blocks are aligned and start behind what is reserved', () => {
  const heap = new Heap(100);
  expect([heap.allocate(1), heap.allocate(65), heap.allocate(64), heap.top]).toEqual([128, 192, 320, 384]);
});

test('gaps are joined and used again, and the top comes down', () => {
  const heap = new Heap(0);
  const [a, b, c, d] = [heap.allocate(64), heap.allocate(64), heap.allocate(64), heap.allocate(64)];
  heap.free(c, 64);
  heap.free(a, 64);
  heap.free(b, 64);
  expect(heap.allocate(192)).toBe(a);
  heap.free(d, 64);
  heap.free(a, 192);
  expect(heap.top).toBe(0);
});

test('blocks never overlap, and when all are freed nothing is left', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ bytes: fc.nat(500), frees: fc.boolean(), which: fc.nat() }), { maxLength: 60 }),
      (acts) => {
        const heap = new Heap(alignment);
        const live: { at: number; bytes: number }[] = [];
        for (const { bytes, frees, which } of acts) {
          if (frees && live.length > 0) {
            const [gone] = live.splice(which % live.length, 1);
            heap.free(gone!.at, gone!.bytes);
            continue;
          }
          const at = heap.allocate(bytes);
          for (const other of live)
            expect(at + aligned(bytes) <= other.at || other.at + aligned(other.bytes) <= at).toBe(true);
          expect(at + aligned(bytes)).toBeLessThanOrEqual(heap.top);
          live.push({ at, bytes });
        }
        for (const { at, bytes } of live) heap.free(at, bytes);
        expect(heap.top).toBe(alignment);
      },
    ),
  );
});
