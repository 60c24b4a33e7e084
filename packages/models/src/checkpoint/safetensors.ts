/** Safetensors files on disk: opened lazily and read one tensor at a time; written to the side and renamed. */
import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CheckpointError } from './errors.ts';
import { encodeHeader, headerLength, parseHeader } from './safetensors-header.ts';
import { describeStored, elementCount, storedTypes } from './stored-tensor.ts';
import type { StoredArrays, StoredTensor, StoredDtype, StoredType } from './stored-tensor.ts';
import { openSource, plainTensor } from './weights-file.ts';
import type { WeightsFile } from './weights-file.ts';

/**
 * Opens a safetensors file and checks its header; nothing else is read yet.
 * @throws CheckpointError `missing-file`, `truncated`, `bad-header`, `bad-tensor`
 */
export function readSafetensors(path: string): Promise<WeightsFile> {
  return openSource(path, 'a safetensors file', async (file) => {
    const length = headerLength(await file.bytes(0, Math.min(8, file.size)), file.size, path);
    const { metadata, tensors } = parseHeader(await file.bytes(8, length), file.size, path);
    return {
      metadata,
      tensors: new Map([...tensors].map(([name, entry]) => [name, plainTensor(file, name, entry, entry.offset)])),
    };
  });
}

/** A tensor to write: the data itself, or a function that makes it when its turn comes, so that not all is in memory at once. */
export type TensorToWrite =
  | StoredTensor
  | {
      [D in StoredDtype]: {
        readonly dtype: D;
        readonly shape: readonly number[];
        /** Called when it is the tensor's turn to be written. */
        readonly data: () => StoredArrays[D] | Promise<StoredArrays[D]>;
      };
    }[StoredDtype];

/**
 * Writes a safetensors file, byte for byte as Python's writer does. The bytes go to a temporary file beside `path`, which
 * is flushed to disk and renamed, so that `path` is at every moment either the old file or the whole new one.
 * @param metadata - strings for the header; Python's readers want `format: 'pt'`, the default
 * @throws CheckpointError `bad-tensor` if a tensor's data has not the type or length that its dtype and shape say
 */
export async function writeSafetensors(
  path: string,
  tensors: Readonly<Record<string, TensorToWrite>>,
  metadata: Readonly<Record<string, string>> = { format: 'pt' },
): Promise<void> {
  if (Object.hasOwn(tensors, '__metadata__'))
    throw new CheckpointError('bad-tensor', {
      asked: 'to write a tensor',
      found: 'its name is taken by the header itself',
      where: path,
      tensor: '__metadata__',
      fix: 'Give it another name.',
    });
  const { bytes, order } = encodeHeader(tensors, metadata);
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx');
    try {
      await file.appendFile(bytes);
      for (const name of order) {
        const tensor = tensors[name]!;
        const data = typeof tensor.data === 'function' ? await tensor.data() : tensor.data;
        checkData(tensor, data, name, path);
        if (data.byteLength > 0) await writeBytes(file, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

function checkData(info: StoredType, data: StoredArrays[StoredDtype], tensor: string, where: string): void {
  const length = elementCount(info.shape);
  const { array } = storedTypes[info.dtype];
  if (data instanceof array && data.length === length) return;
  throw new CheckpointError('bad-tensor', {
    asked: `to write ${describeStored(info)}, a ${array.name} of ${length}`,
    found: `the data is a ${data.constructor.name} of ${data.length}`,
    where,
    tensor,
    fix: 'Make dtype, shape and data agree.',
  });
}

/** One system call moves at most 2 GiB. */
const transfer = 64 << 20;

async function writeBytes(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;)
    done += (await file.write(bytes, done, Math.min(transfer, bytes.length - done))).bytesWritten;
}

/** Makes a rename durable where the system lets folders be flushed (not on Windows). */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder).catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}
