/** CRC-32C (Castagnoli, RFC 3720 B.4) and the masked form that TFRecord files store (TensorFlow `lib/hash/crc32c.h`). */

const polynomial = 0x82f63b78; // bit-reflected

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
  return crc;
});

/**
 * The CRC-32C of `bytes[start, end)` as an unsigned 32-bit number.
 *
 * @param start first byte, default 0
 * @param end one past the last byte, default `bytes.length`
 */
export function crc32c(bytes: Uint8Array, start = 0, end: number = bytes.length): number {
  let crc = -1;
  for (let i = start; i < end; i++) crc = table[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/**
 * {@link crc32c}, rotated and offset, so that a file which contains records as data does not contain their checksums:
 * `rotr(crc, 15) + 0xa282ead8 mod 2^32`.
 */
export function maskedCrc32c(bytes: Uint8Array, start = 0, end: number = bytes.length): number {
  const crc = crc32c(bytes, start, end);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
