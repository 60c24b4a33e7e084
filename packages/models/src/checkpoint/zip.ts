/**
 * The table of contents of a zip archive: where each entry lies, so that what is stored without compression is read in place.
 * Source: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT (4.3.7, 4.3.12 to 4.3.16 and 4.5.3 for archives beyond 4 GiB).
 */
import { CheckpointError } from './errors.ts';
import type { OpenFile } from './weights-file.ts';

/** A file in an archive. */
export interface ZipEntry {
  /** The position of its header, behind which its bytes begin: {@link entryStart}. */
  readonly header: number;
  /** Bytes in the archive. */
  readonly bytes: number;
  /** Whether the bytes are the file itself. */
  readonly stored: boolean;
}

const endBytes = 22;
const entryBytes = 46;
const headerBytes = 30;

/**
 * The entries by name. @throws CheckpointError `truncated` if the table at the end of the archive is not there, `bad-header` if it
 * contradicts itself or the file
 */
export async function zipEntries(file: OpenFile): Promise<ReadonlyMap<string, ZipEntry>> {
  const { offset, bytes, count } = await findTable(file);
  if (offset + bytes > file.size) throw bad(file, `its table of contents would end at ${offset + bytes}`);
  const table = view(await file.bytes(offset, bytes));
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + entryBytes > bytes || table.getUint32(at, true) !== 0x02014b50)
      throw bad(file, `entry ${i} of ${count} is not where the table of contents has it`);
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((field) => table.getUint16(at + field, true)) as [
      number,
      number,
      number,
    ];
    const end = at + entryBytes + nameBytes + extraBytes;
    if (end > bytes) throw bad(file, `entry ${i} of ${count} goes on beyond the table of contents`);
    const name = new TextDecoder().decode(new Uint8Array(table.buffer, at + entryBytes, nameBytes));
    const wide = wideFields(table, end - extraBytes, end);
    // Where a field of 32 bits does not do, it has all bits set and the number follows as 64 bits, in this order.
    const field = (position: number) => {
      const value = table.getUint32(at + position, true);
      return value === 0xffffffff && wide.length > 0 ? wide.shift()! : value;
    };
    const [size, packed, header] = [field(24), field(20), field(42)];
    const stored = table.getUint16(at + 10, true) === 0 && size === packed && (table.getUint16(at + 8, true) & 1) === 0;
    if (header + headerBytes + packed > file.size)
      throw new CheckpointError('truncated', {
        asked: `the ${packed} bytes of "${name}"`,
        found: `the archive has ${file.size} bytes and they would begin after ${header}`,
        where: file.path,
        fix: 'The file is damaged: fetch or save it again.',
      });
    if (entries.has(name)) throw bad(file, `"${name}" is in it twice`);
    entries.set(name, { header, bytes: packed, stored });
    at = end + commentBytes;
  }
  return entries;
}

/** The position of the bytes of an entry. @throws CheckpointError `bad-header`, `truncated` */
export async function entryStart(file: OpenFile, { header, bytes }: ZipEntry): Promise<number> {
  const local = view(await file.bytes(header, headerBytes));
  const start = header + headerBytes + local.getUint16(26, true) + local.getUint16(28, true);
  if (local.getUint32(0, true) !== 0x04034b50 || start + bytes > file.size)
    throw bad(file, `no entry of ${bytes} bytes begins at ${header}`);
  return start;
}

/** The table is found by a record that ends the archive, before a comment of at most 64 KiB. */
async function findTable(file: OpenFile): Promise<{ offset: number; bytes: number; count: number }> {
  const tailBytes = Math.min(file.size, endBytes + 0xffff);
  const from = file.size - tailBytes;
  const tail = view(await file.bytes(from, tailBytes));
  let at = tailBytes - endBytes;
  while (at >= 0 && tail.getUint32(at, true) !== 0x06054b50) at--;
  if (at < 0)
    throw new CheckpointError('truncated', {
      asked: 'a zip archive',
      found: `the table of contents that ends one is not in its ${file.size} bytes`,
      where: file.path,
      fix: 'The file is damaged or not a zip archive: fetch or save it again.',
    });
  const small = {
    count: tail.getUint16(at + 10, true),
    bytes: tail.getUint32(at + 12, true),
    offset: tail.getUint32(at + 16, true),
  };
  const locator = at - 20;
  if (locator < 0 || tail.getUint32(locator, true) !== 0x07064b50) return small;
  const position = big(tail, locator + 8);
  if (position + 56 > file.size) throw bad(file, 'its table of contents lies beyond its end');
  const record = view(await file.bytes(position, 56));
  if (record.getUint32(0, true) !== 0x06064b50) throw bad(file, 'its table of contents is not where it says');
  return { count: big(record, 32), bytes: big(record, 40), offset: big(record, 48) };
}

/** The 64-bit numbers of an entry's extra field, if it has them. */
function wideFields(table: DataView, begin: number, end: number): number[] {
  for (let at = begin; at + 4 <= end;) {
    const [id, bytes] = [table.getUint16(at, true), table.getUint16(at + 2, true)];
    const stop = at + 4 + bytes;
    if (id === 1 && stop <= end) return Array.from({ length: bytes >> 3 }, (_, i) => big(table, at + 4 + 8 * i));
    at = stop;
  }
  return [];
}

function big(from: DataView, at: number): number {
  return Number(from.getBigUint64(at, true));
}

function view({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

function bad({ path, size }: OpenFile, found: string): CheckpointError {
  return new CheckpointError('bad-header', {
    asked: 'a zip archive',
    found: `${found}, in a file of ${size} bytes`,
    where: path,
    fix: 'The file is damaged: fetch or save it again.',
  });
}
