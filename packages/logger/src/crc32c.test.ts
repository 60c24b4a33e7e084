import { expect, test } from 'vitest';
import { crc32c, maskedCrc32c } from './crc32c.ts';

const ascii = (text: string) => new TextEncoder().encode(text);

test('the check value of CRC-32C, and the vectors of RFC 3720 B.4', () => {
  expect(crc32c(ascii('123456789'))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
});

test('the masked form', () => {
  expect(maskedCrc32c(ascii('123456789'))).toBe(0xc78ab0e5);
  expect(maskedCrc32c(ascii(''))).toBe(0xa282ead8);
  expect(maskedCrc32c(Uint8Array.of(24, 0, 0, 0, 0, 0, 0, 0))).toBe(0x224b7fa3);
});

test('a part of the bytes', () => {
  expect(crc32c(ascii('ab123456789c'), 2, 11)).toBe(0xe3069283);
});
