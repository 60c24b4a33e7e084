/** The tensors of a checkpoint behind one interface, whatever format they lie in; what a format says for that is a {@link WeightsSource}. */
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { CheckpointError } from './errors.ts';
import { elementCount, floatReader, storedTypes, toI32, wrongDtype } from './stored-tensor.ts';
import type { StoredArrays, StoredDtype, StoredTensor, StoredTensorOf, StoredType } from './stored-tensor.ts';

/** The tensors of a checkpoint, by name; their data stays on disk until it is read. */
export interface WeightsFile {
  /** The file; for weights in several files, the index. */
  readonly path: string;
  /** The strings that the file carries, e.g. `{ format: 'pt' }`. */
  readonly metadata: Readonly<Record<string, string>>;
  /** In the order of their data. */
  readonly names: readonly string[];
  /** Whether there is a tensor of that name. */
  has(name: string): boolean;
  /** dtype and shape. @throws CheckpointError `unknown-tensor` */
  info(name: string): StoredType;
  /** A fresh copy of one tensor, in the dtype of the file. @throws CheckpointError `unknown-tensor`, `truncated` */
  read(name: string): Promise<StoredTensor>;
  /**
   * One tensor as `f32`, converted from `f16`, `bf16` or `f64` on the way from the disk, so that it is in memory once.
   * @throws CheckpointError also `bad-tensor` for integers
   */
  readF32(name: string): Promise<StoredTensorOf<'f32'>>;
  /** One tensor as `i32`, converted from any integer type or `bool`. @throws CheckpointError also `bad-tensor` if a value does not fit */
  readI32(name: string): Promise<StoredTensorOf<'i32'>>;
  /** Closes the file. Calling it again does nothing. */
  close(): Promise<void>;
}

/** A tensor that lies in a file. */
export interface SourceTensor extends StoredType {
  /** Fills `into`, an array of this dtype, with the elements from the `begin`-th on, in row-major order. */
  readonly fill: (into: StoredArrays[StoredDtype], begin: number) => Promise<void>;
}

/** What a format says of a file. */
export interface WeightsSource {
  readonly path: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** In the order of their data. */
  readonly tensors: ReadonlyMap<string, SourceTensor>;
  readonly close: () => Promise<void>;
}

/** Elements that are converted at a time. A multiple of every quantised block. */
const piece = 1 << 20;

/** The interface over a source. */
export function weightsFile({ path, metadata, tensors, close }: WeightsSource): WeightsFile {
  const find = (name: string): SourceTensor => tensors.get(name) ?? unknownTensor(name, tensors.keys(), path);
  const read = async (name: string): Promise<StoredTensor> => {
    const { dtype, shape, fill } = find(name);
    const data = allocate(dtype, elementCount(shape));
    await fill(data, 0);
    return { dtype, shape, data } as StoredTensor;
  };
  return {
    path,
    metadata,
    names: [...tensors.keys()],
    has: (name) => tensors.has(name),
    info(name) {
      const { dtype, shape } = find(name);
      return { dtype, shape };
    },
    read,
    async readF32(name) {
      const { dtype, shape, fill } = find(name);
      const data = new Float32Array(elementCount(shape));
      if (dtype === 'f32') await fill(data, 0);
      else {
        const convert = floatReader(dtype);
        if (!convert) throw wrongDtype({ dtype, shape }, name, path, 'f32', 'Read it with read() or readI32().');
        const buffer = allocate(dtype, Math.min(piece, data.length));
        for (let begin = 0; begin < data.length; begin += piece) {
          const part = buffer.subarray(0, data.length - begin);
          await fill(part, begin);
          convert(part, data, begin);
        }
      }
      return { dtype: 'f32', shape, data };
    },
    readI32: async (name) => toI32(await read(name), name, path),
    close,
  };
}

/** Several files as if they were one: `places` says which file a tensor lies in. `path` is their index. */
export function joinedWeights(path: string, places: ReadonlyMap<string, WeightsFile>): WeightsFile {
  const files = [...new Set(places.values())];
  const fileOf = (name: string) => places.get(name) ?? unknownTensor(name, places.keys(), path);
  return {
    path,
    metadata: files[0]?.metadata ?? {},
    names: files.flatMap((file) => file.names.filter((name) => places.get(name) === file)),
    has: (name) => places.has(name),
    info: (name) => fileOf(name).info(name),
    read: async (name) => fileOf(name).read(name),
    readF32: async (name) => fileOf(name).readF32(name),
    readI32: async (name) => fileOf(name).readI32(name),
    close: async () => void (await Promise.all(files.map((file) => file.close()))),
  };
}

/** A file that is open for reading. */
export interface OpenFile {
  readonly path: string;
  readonly size: number;
  /** Fills `into` with the bytes from `offset` on. @throws CheckpointError `truncated` if the file ends before; `tensor` is whose they are */
  readonly fill: (into: ArrayBufferView, offset: number, tensor?: string) => Promise<void>;
  /** The bytes from `offset` on. @throws CheckpointError `truncated` */
  readonly bytes: (offset: number, count: number) => Promise<Uint8Array<ArrayBuffer>>;
  readonly close: () => Promise<void>;
}

/**
 * Opens a file and makes a source of it; a file that is none is closed again. `kind` is for messages: `a safetensors file`.
 * @throws CheckpointError `missing-file`, and what `parse` throws
 */
export async function openSource(
  path: string,
  kind: string,
  parse: (file: OpenFile) => Promise<Pick<WeightsSource, 'metadata' | 'tensors'>>,
): Promise<WeightsFile> {
  const handle = await open(path).catch((cause: NodeJS.ErrnoException) => {
    throw new CheckpointError(
      'missing-file',
      { asked: kind, found: `it cannot be opened (${cause.code})`, where: path, fix: 'Check the path.' },
      { cause },
    );
  });
  try {
    const { size } = await handle.stat();
    const file: OpenFile = {
      path,
      size,
      fill: (into, offset, tensor) => fillFrom(handle, into, offset, path, tensor),
      async bytes(offset, count) {
        const out = new Uint8Array(count);
        await fillFrom(handle, out, offset, path);
        return out;
      },
      close: () => handle.close(),
    };
    return weightsFile({ path, ...(await parse(file)), close: file.close });
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** A tensor whose elements lie one after the other from `offset` on, as they are in memory. */
export function plainTensor(file: OpenFile, name: string, { dtype, shape }: StoredType, offset: number): SourceTensor {
  const { bytes } = storedTypes[dtype];
  return { dtype, shape, fill: (into, begin) => file.fill(into, offset + begin * bytes, name) };
}

/** An array for so many elements; the files are little-endian, as every machine that runs JavaScript is. */
export function allocate<D extends StoredDtype>(dtype: D, length: number): StoredArrays[D] {
  const { array, bytes } = storedTypes[dtype];
  return new array(new ArrayBuffer(length * bytes));
}

/** One system call moves at most 2 GiB; this also bounds how long one of them takes. */
const transfer = 64 << 20;

async function fillFrom(
  file: FileHandle,
  into: ArrayBufferView,
  offset: number,
  where: string,
  tensor?: string,
): Promise<void> {
  const out = new Uint8Array(into.buffer, into.byteOffset, into.byteLength);
  for (let done = 0; done < out.length;) {
    const { bytesRead } = await file.read(out, done, Math.min(transfer, out.length - done), offset + done);
    if (bytesRead === 0)
      throw new CheckpointError('truncated', {
        asked: `${out.length} bytes from position ${offset}`,
        found: `the file ends after ${done} of them`,
        where,
        ...(tensor !== undefined && { tensor }),
        fix: 'It was cut short: fetch or save it again.',
      });
    done += bytesRead;
  }
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
