import fc from 'fast-check';
import { PbfWriter } from 'pbf';
import { expect, test } from 'vitest';
import { appendRecord, encodeRecord, findHeader, footerSize, headerSize, scanRecord } from './record.ts';

const data = fc.uint8Array({ maxLength: 300 });

test('an empty record, byte by byte', () => {
  // masked CRC of eight zero bytes, and of nothing
  expect(Buffer.from(encodeRecord(new Uint8Array(0))).toString('hex')).toBe(
    '0000000000000000' + '29039807' + 'd8ea82a2',
  );
});

test('records appended to one buffer come back in order', () => {
  fc.assert(
    fc.property(fc.array(data), (records) => {
      const out = new PbfWriter();
      for (const record of records)
        appendRecord(out, (bytes: Uint8Array, to) => bytes.forEach((b) => to.writeVarint(b & 127)), record);
      const bytes = out.finish();
      let at = 0;
      for (const record of records) {
        const scan = scanRecord(bytes, at);
        if (scan.kind !== 'record') throw new Error(scan.kind);
        expect([...scan.data]).toEqual([...record].map((b) => b & 127));
        at = scan.end;
      }
      expect(at).toBe(bytes.length);
    }),
  );
});

test('every cut is torn, never corrupt; every flipped bit is corrupt or torn, never a record', () => {
  fc.assert(
    fc.property(data, fc.nat(), fc.nat(7), (content, place, bit) => {
      const record = encodeRecord(content);
      expect(record.length).toBe(content.length + headerSize + footerSize);
      expect(scanRecord(record.subarray(0, place % record.length), 0)).toEqual({ kind: 'torn' });
      record[place % record.length]! ^= 1 << bit;
      expect(scanRecord(record, 0)).toEqual({
        kind: 'corrupt',
        what: place % record.length < headerSize ? 'length' : 'data',
      });
    }),
  );
});

test('a header with a wrong checksum is corrupt even before its data is there', () => {
  const record = encodeRecord(Uint8Array.of(1, 2, 3));
  record[0]! ^= 1;
  expect(scanRecord(record.subarray(0, headerSize), 0)).toEqual({ kind: 'corrupt', what: 'length' });
});

test('a length beyond 2 GiB is corrupt, not awaited', () => {
  const header = Buffer.from(encodeRecord(new Uint8Array(0)));
  header.writeUInt32LE(1, 4);
  expect(scanRecord(header, 0)).toEqual({ kind: 'corrupt', what: 'length' });
});

test('the next header is found behind rubbish', () => {
  const rubbish = Uint8Array.from({ length: 50 }, (_, i) => i * 7);
  const bytes = Buffer.concat([rubbish, encodeRecord(Uint8Array.of(9))]);
  expect(findHeader(bytes, 0)).toBe(50);
  expect(findHeader(rubbish, 0)).toBe(rubbish.length - headerSize + 1); // a header may begin in the last 11 bytes
});
