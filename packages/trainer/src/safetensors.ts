/** The safetensors format as far as checkpoints need it: https://huggingface.co/docs/safetensors (length, JSON header, data). */
import { open, readFile } from 'node:fs/promises';
import { dataView, dtypeBytes } from '@sinter/ir';
import type { Data } from '@sinter/ir';
import { ResumeError } from './errors.ts';

const codes = { f32: 'F32', f16: 'F16', bf16: 'BF16', i32: 'I32', u32: 'U32', i8: 'I8', u8: 'U8' } as const;

/** A tensor in a file. */
export interface StoredTensor {
  readonly dtype: keyof typeof codes;
  readonly shape: readonly number[];
  readonly data: Data;
}

/** Writes tensors to a new file, in the order of their names. */
export async function writeTensors(path: string, tensors: Readonly<Record<string, StoredTensor>>): Promise<void> {
  const names = Object.keys(tensors).sort();
  let position = 0;
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  for (const name of names) {
    const { dtype, shape, data } = tensors[name]!;
    header[name] = { dtype: codes[dtype], shape, data_offsets: [position, (position += data.byteLength)] };
  }
  const json = JSON.stringify(header);
  // The data begins at a multiple of eight bytes; spaces fill the gap.
  const text = Buffer.from(json.padEnd(json.length + ((8 - (Buffer.byteLength(json) % 8)) % 8)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const file = await open(path, 'wx');
  try {
    await file.appendFile(Buffer.concat([length, text]));
    for (const name of names) {
      const { data } = tensors[name]!;
      if (data.byteLength > 0) await file.appendFile(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
  } finally {
    await file.close();
  }
}

/** Reads all tensors of a file. @throws ResumeError if it is missing or damaged */
export async function readTensors(path: string): Promise<Record<string, StoredTensor>> {
  const damaged = (what: string, cause?: unknown): ResumeError =>
    new ResumeError(path, `${path} cannot be read: ${what}. Resume from an older checkpoint.`, { cause });
  const bytes = await readFile(path).catch((error: Error) => {
    throw damaged(error.message, error);
  });
  const end = bytes.length < 8 ? Infinity : 8 + Number(bytes.readBigUInt64LE(0));
  if (end > bytes.length) throw damaged('it ends within its header');
  let header: Record<string, { dtype?: unknown; shape?: unknown; data_offsets?: unknown }> | null;
  try {
    header = JSON.parse(bytes.toString('utf8', 8, end)) as typeof header;
  } catch (error) {
    throw damaged('its header is not JSON', error);
  }
  const dtypes = Object.fromEntries(Object.entries(codes).map(([dtype, code]) => [code, dtype as keyof typeof codes]));
  const { __metadata__: _, ...entries } = header ?? {};
  return Object.fromEntries(
    Object.entries(entries).map(([name, { dtype: code, shape, data_offsets }]) => {
      const dtype = dtypes[String(code)];
      if (!dtype)
        throw damaged(`'${name}' has the dtype ${String(code)}, not one of ${Object.keys(dtypes).join(', ')}`);
      if (!areSizes(shape) || !areSizes(data_offsets)) throw damaged(`'${name}' has no shape or place`);
      const count = shape.reduce((a, b) => a * b, 1);
      const [from = 0, to = 0] = data_offsets;
      if (to - from !== count * dtypeBytes[dtype] || end + to > bytes.length)
        throw damaged(`'${name}' [${shape.join(', ')}] does not lie whole within the file`);
      return [
        name,
        { dtype, shape, data: dataView(dtype, new Uint8Array(bytes.subarray(end + from, end + to)).buffer, 0, count) },
      ];
    }),
  );
}

function areSizes(x: unknown): x is readonly number[] {
  return Array.isArray(x) && x.every((size) => Number.isSafeInteger(size) && size >= 0);
}
