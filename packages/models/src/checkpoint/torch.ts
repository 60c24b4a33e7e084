/**
 * `pytorch_model.bin`: what `torch.save` writes since PyTorch 1.6, a zip archive of a pickle and of storages without compression. Nothing
 * of a pickle is run: it may name what weights are made of ({@link readPickle}), and anything else is refused.
 * Source: https://pytorch.org/docs/stable/notes/serialization.html#serialized-file-format-for-torch-save
 */
import { CheckpointError } from './errors.ts';
import { PickleError, readPickle } from './pickle.ts';
import type { PickleGlobal, PickleValue } from './pickle.ts';
import { storedTypes } from './stored-tensor.ts';
import type { StoredDtype } from './stored-tensor.ts';
import { isRowMajor, spanOf, stridedTensor } from './strided.ts';
import { openSource, plainTensor } from './weights-file.ts';
import type { OpenFile, SourceTensor, WeightsFile } from './weights-file.ts';
import { entryStart, zipEntries } from './zip.ts';

/** A run of elements in the archive, which tensors are views of. */
interface Storage {
  readonly kind: 'storage';
  readonly dtype: StoredDtype;
  /** The name of its entry. */
  readonly key: string;
  /** Its elements. */
  readonly count: number;
}

/** A tensor as a pickle has it: a view of a storage, in elements. */
interface View {
  readonly kind: 'tensor';
  readonly storage: Storage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

const storages: Readonly<Record<string, StoredDtype>> = {
  'torch.DoubleStorage': 'f64',
  'torch.FloatStorage': 'f32',
  'torch.HalfStorage': 'f16',
  'torch.BFloat16Storage': 'bf16',
  'torch.LongStorage': 'i64',
  'torch.IntStorage': 'i32',
  'torch.ShortStorage': 'i16',
  'torch.CharStorage': 'i8',
  'torch.ByteStorage': 'u8',
  'torch.BoolStorage': 'bool',
};

/** The functions that a pickle of weights calls. */
const functions: Readonly<Record<string, NonNullable<PickleGlobal['call']>>> = {
  'collections.OrderedDict': (pairs = []) => new Map(pairs as [PickleValue, PickleValue][]),
  'torch._utils._rebuild_tensor_v2': (storage, offset, shape, strides) => view(storage, offset, shape, strides),
  'torch._utils._rebuild_parameter': (tensor = null) => tensor,
  'torch.Size': (sizes = []) => sizes,
};

/**
 * Opens a `.bin` file of PyTorch; the tensors stay on disk until they are read, in place.
 * @throws CheckpointError `missing-file`, `truncated`, `bad-header`; `unsafe-pickle` for a pickle that names any other object, which
 * reading with Python would run; `unsupported` for files of PyTorch before 1.6 and for big-endian ones; `bad-tensor` for a tensor that its
 * storage does not hold
 */
export function readTorch(path: string): Promise<WeightsFile> {
  return openSource(path, 'a PyTorch checkpoint', async (file) => {
    await refuseOthers(file);
    const entries = await zipEntries(file);
    const main = [...entries.keys()].find((name) => /^[^/]+\/data\.pkl$/.test(name));
    if (main === undefined) throw problem(path, 'bad-header', 'the archive has no data.pkl', again);
    const folder = main.slice(0, -'data.pkl'.length);
    const place = async (name: string) => {
      const entry = entries.get(name);
      if (!entry) throw problem(path, 'bad-header', `the archive has no "${name}"`, again);
      if (!entry.stored)
        throw problem(path, 'unsupported', `"${name}" is compressed`, 'Save it with torch.save again.');
      return { start: await entryStart(file, entry), bytes: entry.bytes };
    };
    const bytesOf = async (name: string) => {
      const { start, bytes } = await place(name);
      return file.bytes(start, bytes);
    };
    if (entries.has(`${folder}byteorder`) && new TextDecoder().decode(await bytesOf(`${folder}byteorder`)) !== 'little')
      throw problem(path, 'unsupported', 'its numbers are big-endian', 'Save it on a little-endian machine.');

    const tensors = new Map<string, SourceTensor>();
    const places = new Map<string, { readonly start: number; readonly bytes: number }>();
    for (const [name, tensor] of namedTensors(await bytesOf(main), path)) {
      const { key } = tensor.storage;
      if (!places.has(key)) places.set(key, await place(`${folder}data/${key}`));
      tensors.set(name, sourceOf(file, name, tensor, places.get(key)!));
    }
    return { metadata: {}, tensors };
  });
}

/** The tensors of a state dict, which may be the whole pickle or lie in it under `state_dict`. */
function namedTensors(pickle: Uint8Array, path: string): [string, View][] {
  let value: PickleValue;
  try {
    value = readPickle(pickle, { global: (name) => known(name, path), persistent: (id) => storageOf(id, path) });
  } catch (cause) {
    if (!(cause instanceof PickleError)) throw cause;
    throw problem(path, 'bad-header', `of its pickle, ${cause.message}`, again, cause);
  }
  const inner = value instanceof Map ? value.get('state_dict') : undefined;
  const dict = inner instanceof Map ? inner : value;
  const named = dict instanceof Map ? [...dict] : [];
  const tensors = named.filter((entry): entry is [string, View] => typeof entry[0] === 'string' && isView(entry[1]));
  if (tensors.length > 0) return tensors;
  throw problem(path, 'bad-tensor', 'it holds no tensors by name', 'Save model.state_dict().');
}

function known(name: string, path: string): PickleGlobal {
  const call = Object.hasOwn(functions, name) ? functions[name] : undefined;
  if (call) return { global: name, call };
  if (Object.hasOwn(storages, name)) return { global: name };
  throw problem(
    path,
    'unsafe-pickle',
    `its pickle names the Python object "${name}", which weights are not made of; nothing was run`,
    'Do not load it in Python unless you trust whoever made it. Of a file that you trust, save model.state_dict(), or safetensors.',
  );
}

function storageOf(id: PickleValue, path: string): Storage {
  const [kind, type, key, , count] = (Array.isArray(id) ? id : []) as readonly PickleValue[];
  const dtype = storages[(type as PickleGlobal | undefined)?.global ?? ''];
  if (kind !== 'storage' || !dtype || typeof key !== 'string' || !/^[\w-]+$/.test(key) || !isSize(count))
    throw problem(path, 'bad-header', 'its pickle refers to what is no storage', again);
  return { kind, dtype, key, count };
}

function view(...[storage, offset, shape, strides]: readonly (PickleValue | undefined)[]): View {
  const sizes = (value: PickleValue | undefined): value is number[] => Array.isArray(value) && value.every(isSize);
  const isStorage = typeof storage === 'object' && storage !== null && 'kind' in storage && storage.kind === 'storage';
  if (!isStorage || !isSize(offset) || !sizes(shape) || !sizes(strides) || shape.length !== strides.length)
    throw new PickleError('a tensor in it is not made of a storage, a shape and strides');
  return { kind: 'tensor', storage: storage as Storage, offset, shape, strides };
}

function isView(value: PickleValue): value is View {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'tensor';
}

function isSize(value: PickleValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function sourceOf(
  file: OpenFile,
  name: string,
  { storage, offset, shape, strides }: View,
  { start, bytes }: { readonly start: number; readonly bytes: number },
): SourceTensor {
  const { dtype, count } = storage;
  const size = storedTypes[dtype].bytes;
  const span = spanOf({ shape, strides });
  if (count * size > bytes || (span > 0 && offset + span > count))
    throw new CheckpointError('bad-tensor', {
      asked: `elements ${offset} to ${offset + span} of a storage`,
      found: `it has ${count} and ${bytes} bytes in the archive`,
      where: file.path,
      tensor: name,
      fix: again,
    });
  const from = start + offset * size;
  if (span === 0 || isRowMajor({ shape, strides })) return plainTensor(file, name, { dtype, shape }, from);
  const fill: SourceTensor['fill'] = (into) => file.fill(into, from, name);
  return stridedTensor(dtype, shape, { shape, strides }, fill);
}

/** Tells what else is called `.bin`, by its first bytes. */
async function refuseOthers(file: OpenFile): Promise<void> {
  const [a, b, c, d] = await file.bytes(0, Math.min(4, file.size));
  if (a === 0x50 && b === 0x4b && c === 3 && d === 4) return;
  const isPickle = a === 0x80 && b! >= 2 && b! <= 5;
  throw isPickle
    ? problem(
        file.path,
        'unsupported',
        'it is a bare pickle, as PyTorch wrote them before 1.6',
        'Load it in Python, if you trust whoever made it, and save it again with torch.save, or as safetensors.',
      )
    : problem(file.path, 'bad-header', 'it does not begin as a zip archive does', again);
}

const again = 'The file is damaged or not a PyTorch checkpoint: fetch or save it again.';

function problem(
  where: string,
  code: 'bad-header' | 'bad-tensor' | 'unsafe-pickle' | 'unsupported',
  found: string,
  fix: string,
  cause?: unknown,
): CheckpointError {
  return new CheckpointError(code, { asked: 'a PyTorch checkpoint', found, where, fix }, { cause });
}
