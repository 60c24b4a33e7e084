/** Safetensors files on disk: opened lazily and read one tensor at a time; written to the side and renamed. */
import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CheckpointError } from './errors.ts';
import { encodeHeader, headerLength, parseHeader } from './safetensors-header.ts';
import { describeStored, elementCount, storedTypes, toF32, toI32 } from './stored-tensor.ts';
import type { StoredArrays, StoredTensor, StoredDtype, StoredType, StoredTensorOf } from './stored-tensor.ts';

/** The tensors of a checkpoint, by name; their data stays on disk until it is read. */
export interface SafetensorsFile {
  /** The file; for weights in several files, the index. */
  readonly path: string;
  /** The strings that the header carries, e.g. `{ format: 'pt' }`. */
  readonly metadata: Readonly<Record<string, string>>;
  /** In the order of their data. */
  readonly names: readonly string[];
  /** Whether there is a tensor of that name. */
  has(name: string): boolean;
  /** dtype and shape. @throws CheckpointError `unknown-tensor` */
  info(name: string): StoredType;
  /** A fresh copy of one tensor, in the dtype of the file. @throws CheckpointError `unknown-tensor`, `truncated` */
  read(name: string): Promise<StoredTensor>;
  /** One tensor as `f32`, converted from `f16`, `bf16` or `f64`. @throws CheckpointError also `bad-tensor` for integers */
  readF32(name: string): Promise<StoredTensorOf<'f32'>>;
  /** One tensor as `i32`, converted from any integer type or `bool`. @throws CheckpointError also `bad-tensor` if a value does not fit */
  readI32(name: string): Promise<StoredTensorOf<'i32'>>;
  /** Closes the file. Calling it again does nothing. */
  close(): Promise<void>;
}

/**
 * Opens a safetensors file and checks its header; nothing else is read yet.
 * @throws CheckpointError `missing-file`, `truncated`, `bad-header`, `bad-tensor`
 */
export async function readSafetensors(path: string): Promise<SafetensorsFile> {
  const file = await open(path).catch((cause: NodeJS.ErrnoException) => {
    throw new CheckpointError(
      'missing-file',
      {
        asked: 'a safetensors file',
        found: `it cannot be opened (${cause.code})`,
        where: path,
        fix: 'Check the path.',
      },
      { cause },
    );
  });
  try {
    const { size } = await file.stat();
    const length = headerLength(await readBytes(file, 0, Math.min(8, size), path), size, path);
    const { metadata, tensors } = parseHeader(await readBytes(file, 8, length, path), size, path);
    const entry = (name: string) => tensors.get(name) ?? unknownTensor(name, tensors.keys(), path);
    const read = async (name: string) => {
      const { dtype, shape, offset, bytes } = entry(name);
      return tensorOf(dtype, shape, (await readBytes(file, offset, bytes, path, name)).buffer);
    };
    return {
      path,
      metadata,
      names: [...tensors.keys()],
      has: (name) => tensors.has(name),
      info(name) {
        const { dtype, shape } = entry(name);
        return { dtype, shape };
      },
      read,
      readF32: async (name) => toF32(await read(name), name, path),
      readI32: async (name) => toI32(await read(name), name, path),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
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

/** Complains about a name that the checkpoint lacks, with the names that it may have been meant as. */
export function unknownTensor(name: string, names: Iterable<string>, where: string): never {
  const all = [...names];
  const last = name.split('.').slice(-2).join('.');
  const close = all.filter((other) => other.endsWith(`.${name}`) || name.endsWith(`.${other}`));
  const like = close.length > 0 ? close : all.filter((other) => other.endsWith(last));
  throw new CheckpointError('unknown-tensor', {
    asked: `the tensor "${name}"`,
    found: `none of the ${all.length} tensors has that name`,
    where,
    tensor: name,
    fix:
      like.length > 0
        ? `Did you mean ${like
            .slice(0, 3)
            .map((other) => `"${other}"`)
            .join(' or ')}?`
        : 'Is it the checkpoint of another model?',
  });
}

/** A view of raw bytes as `dtype`; the files are little-endian, as every machine that runs JavaScript is. */
function tensorOf(dtype: StoredDtype, shape: readonly number[], buffer: ArrayBuffer): StoredTensor {
  return { dtype, shape, data: new storedTypes[dtype].array(buffer) } as StoredTensor;
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

/** One system call moves at most 2 GiB; this also bounds how long one of them takes. */
const transfer = 64 << 20;

async function readBytes(
  file: FileHandle,
  offset: number,
  bytes: number,
  where: string,
  tensor?: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const out = new Uint8Array(bytes);
  for (let done = 0; done < bytes;) {
    const { bytesRead } = await file.read(out, done, Math.min(transfer, bytes - done), offset + done);
    if (bytesRead === 0)
      throw new CheckpointError('truncated', {
        asked: `${bytes} bytes from position ${offset}`,
        found: `the file ends after ${done} of them`,
        where,
        ...(tensor !== undefined && { tensor }),
        fix: 'It was cut after it was opened: fetch or save it again.',
      });
    done += bytesRead;
  }
  return out;
}

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
