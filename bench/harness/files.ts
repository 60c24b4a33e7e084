/**
 * A work as files, for processes that are timed from their start: making numbers would be most of that time. A folder holds the
 * tensors, one after the other, and for some engines the model.
 */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { sizeOf } from './values.ts';
import { seeded, tensorsOf, type Named, type Source, type Work } from './work.ts';

/** The names of the files. */
export const files = { tensors: 'tensors.bin', onnx: 'model.onnx', sinter: 'wasm.sinter', native: 'native.sinter' };

/** What a folder's tensors are: params and inputs, 32 bits an element, little-endian. */
function stored(work: Work): readonly Named[] {
  const tensors = tensorsOf(work).filter(({ role }) => role !== 'slot');
  const other = tensors.find(({ dtype }) => dtype !== 'f32' && dtype !== 'i32');
  if (other) throw new Error(`"${work.name}" cannot be written as files: ${other.name} is ${other.dtype}`);
  return tensors;
}

/** Writes the tensors. */
export function writeTensors(work: Work, folder: string): void {
  const file = openSync(join(folder, files.tensors), 'w');
  for (const tensor of stored(work)) writeSync(file, seeded(tensor) as Float32Array);
  closeSync(file);
}

/** Reads each when it is asked for. */
export function tensorsIn(folder: string, work: Work): Source {
  const file = openSync(join(folder, files.tensors), 'r');
  const places = new Map<string, number>();
  let end = 0;
  for (const { name, shape } of stored(work)) {
    places.set(name, end);
    end += 4 * sizeOf(shape);
  }
  return ({ name, shape, dtype }) => {
    const place = places.get(name);
    if (place === undefined) throw new Error(`${folder} holds no tensor "${name}"`);
    const data = dtype === 'f32' ? new Float32Array(sizeOf(shape)) : new Int32Array(sizeOf(shape));
    if (readSync(file, data, 0, data.byteLength, place) < data.byteLength) throw new Error(`${folder} was cut short`);
    return data;
  };
}
