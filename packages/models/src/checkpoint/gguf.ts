/** GGUF files, as llama.cpp uses them: their tensors as 32-bit floats under the names of Hugging Face, and their configuration. */
import type { ConfigKeys } from '../config.ts';
import { CheckpointError } from './errors.ts';
import { ggufTypes } from './gguf-blocks.ts';
import type { GgufType } from './gguf-blocks.ts';
import { parseGguf } from './gguf-header.ts';
import type { GgufEntry, GgufHeader } from './gguf-header.ts';
import { ggufConfig, ggufNames, ggufOrder } from './gguf-names.ts';
import { elementCount, storedTypes } from './stored-tensor.ts';
import { stridedTensor } from './strided.ts';
import { openSource, plainTensor } from './weights-file.ts';
import type { OpenFile, SourceTensor, WeightsFile } from './weights-file.ts';

/** The first bytes of a file that are read at once; more where the header is longer. */
const firstBytes = 1 << 20;

/**
 * Opens a GGUF file. Tensors of the types F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K and Q6_K are read; quantised ones
 * become `f32`. The architectures are `llama`, `qwen2` and `gpt2`.
 * @throws CheckpointError `missing-file`, `truncated`, `bad-header`, `unsupported`
 */
export function readGguf(path: string): Promise<WeightsFile> {
  return openSource(path, 'a GGUF file', async (file) => {
    const { metadata, tensors } = await readHeader(file);
    const rename = ggufNames(metadata, path);
    const renamed = [...tensors].map(([from, entry]): [string, SourceTensor] => {
      const { name, layout } = rename(from);
      const tensor = tensorOf(file, from, entry);
      const order = ggufOrder(layout, tensor.shape, metadata, name);
      return [name, order ? stridedTensor(tensor.dtype, order.shape, order.order, tensor.fill) : tensor];
    });
    return { metadata: { format: 'gguf' }, tensors: new Map(renamed) };
  });
}

/**
 * The configuration of the model in a GGUF file, with the keys of `config.json`.
 *
 * @throws CheckpointError if it is no GGUF file, or of a kind that is not read
 */
export async function readGgufConfig(path: string): Promise<ConfigKeys> {
  let keys: ConfigKeys = {};
  const file = await openSource(path, 'a GGUF file', async (file) => {
    keys = ggufConfig(await readHeader(file), path);
    return { metadata: {}, tensors: new Map() };
  });
  await file.close();
  return keys;
}

async function readHeader(file: OpenFile): Promise<GgufHeader> {
  for (let count = Math.min(firstBytes, file.size); ; count = Math.min(2 * count, file.size)) {
    const header = parseGguf(await file.bytes(0, count), file.path);
    if (header) return header;
    if (count === file.size)
      throw new CheckpointError('truncated', {
        asked: 'a GGUF header',
        found: `it goes on beyond the ${file.size} bytes of the file`,
        where: file.path,
        fix: 'The file is damaged: fetch it again.',
      });
  }
}

function tensorOf(file: OpenFile, name: string, { shape, type, offset }: GgufEntry): SourceTensor {
  const known = ggufTypes.get(type);
  const count = elementCount(shape);
  const problem = (code: 'unsupported' | 'truncated' | 'bad-tensor', found: string, fix: string) =>
    new CheckpointError(code, { asked: 'a tensor of a GGUF file', found, where: file.path, tensor: name, fix });
  if (!known) {
    const names = [...ggufTypes.values()].map(({ name }) => name).join(', ');
    throw problem('unsupported', `it is of type ${type}; ${names} are read`, 'Take a file of another quantisation.');
  }
  if ('decode' in known && count % known.elements > 0)
    throw problem('bad-tensor', `${count} elements are no whole blocks of ${known.name}`, 'Fetch the file again.');
  const bytes = bytesOf(known, count);
  if (offset + bytes > file.size)
    throw problem('truncated', `its ${bytes} bytes begin at ${offset} of ${file.size}`, 'Fetch the file again.');
  if ('dtype' in known) return plainTensor(file, name, { dtype: known.dtype, shape }, offset);
  return {
    dtype: 'f32',
    shape,
    async fill(into, begin) {
      const out = into as Float32Array;
      const buffer = new DataView(new ArrayBuffer(Math.min(blocksAtOnce, out.length / known.elements) * known.bytes));
      for (let at = 0; at < out.length; at += blocksAtOnce * known.elements) {
        const blocks = Math.min(blocksAtOnce, (out.length - at) / known.elements);
        const part = new DataView(buffer.buffer, 0, blocks * known.bytes);
        await file.fill(part, offset + ((begin + at) / known.elements) * known.bytes, name);
        for (let block = 0; block < blocks; block++)
          known.decode(part, block * known.bytes, out, at + block * known.elements);
      }
    },
  };
}
const blocksAtOnce = 1 << 14;

function bytesOf(type: GgufType, count: number): number {
  return 'dtype' in type ? count * storedTypes[type.dtype].bytes : (count / type.elements) * type.bytes;
}
