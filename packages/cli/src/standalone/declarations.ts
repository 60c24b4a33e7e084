/** The `.d.ts` of a standalone module: inputs and outputs of every entry point with their names, dtypes and shapes. */
import type { DimRange, TensorInfo } from '@sinter/compiler/artifact';
import type { Dim, DType } from '@sinter/ir';

type Ports = Readonly<Record<string, TensorInfo>>;

/** What a declaration needs to know of an entry point. */
export interface EntrySignature {
  readonly inputs: Ports;
  readonly outputs: Ports;
  readonly dims: Readonly<Record<string, DimRange>>;
}

/** What a declaration needs to know of an artifact. */
export interface ModuleSignature {
  readonly name: string;
  readonly backend: string;
  readonly entries: Readonly<Record<string, EntrySignature>>;
  /** Names of the files that it carries. */
  readonly files: readonly string[];
}

/** The text of the `.d.ts`; it needs the types of a browser or of Node, and nothing else. */
export function declarations({ name, backend, entries, files }: ModuleSignature): string {
  return `${head(name)}
${Object.entries(entries)
  .map(([entry, signature]) => entryTypes(entry, signature))
  .join('\n')}
/** The loaded model. Runs are done one after the other, in the order of the calls. */
export interface Model {
${Object.entries(entries)
  .map(
    ([entry, { dims }]) =>
      `${doc(`Runs \`${entry}\`${showDims(dims)}.`, '  ')}  ${entry}(inputs: ${typeName(entry)}Inputs): Promise<${typeName(entry)}Outputs>;`,
  )
  .join('\n')}
  /** The tensors that are kept between runs. */
  readonly state: State;
  /** The bytes of a file that came with the model. */
  file(name: ${files.length === 0 ? 'never' : files.map((f) => JSON.stringify(f)).join(' | ')}): Promise<Uint8Array>;
  /** Frees the memory that the model takes. */
  close(): void;
}

/** Options of {@link load}. */
export interface LoadOptions {
  /** The \`.sinter\` file: its address, or its bytes. Default: the file beside this module. */
  readonly source?: string | URL | Uint8Array;
  /** Runs the case that came with the model, and throws if the answer is another. Default: false. */
  readonly selfCheck?: boolean;
  /** Told how far loading is. */
  readonly onProgress?: (progress: Progress) => void;
  /** Stops loading. */
  readonly signal?: AbortSignal;
${hostOptions(backend)}}

/** Loads the model, and checks every byte of it. */
export function load(options?: LoadOptions): Promise<Model>;
`;
}

function head(name: string): string {
  return `/** The compiled model '${name.replaceAll('*/', '* /')}': no dependencies, for Node and browsers. Written by \`sinter compile --standalone\`. */

/** A tensor: its elements in row-major order, and its shape. */
export interface Tensor<Data, Shape extends readonly number[]> {
  readonly data: Data;
  readonly shape: Shape;
}

/** How far loading is. */
export interface Progress {
  readonly stage: string;
  readonly done: number;
  readonly total: number;
}

/** Tensors that are kept between runs, by name. */
export interface State {
  /** Names, shapes and dtypes. */
  readonly ports: Readonly<Record<string, { readonly shape: readonly (number | string)[]; readonly dtype: string }>>;
  /** A copy of the elements. */
  read(name: string): Promise<${[...new Set(Object.values(arrays))].join(' | ')}>;
  /** Overwrites a tensor. */
  write(name: string, data: ${[...new Set(Object.values(arrays))].join(' | ')}): Promise<void>;
}
`;
}

function hostOptions(backend: string): string {
  return backend === 'webgpu'
    ? `  /** The \`GPUDevice\` to run on. Default: one of \`navigator.gpu\`; in Node, one of the npm package \`webgpu\`, where it is installed. */
  readonly device?: object;
`
    : `  /** Threads to run on. Default: as many as the machine runs at once, at most 16. */
  readonly threads?: number;
`;
}

function entryTypes(entry: string, { inputs, outputs, dims }: EntrySignature): string {
  const block = (kind: 'Inputs' | 'Outputs', ports: Ports): string => `/** ${kind} of \`${entry}\`. */
export interface ${typeName(entry)}${kind} {
${Object.entries(ports)
  .map(
    ([name, port]) =>
      `  /** \`${port.dtype} [${port.shape.join(', ')}]\` */\n  readonly ${key(name)}: ${tensorType(port, dims)};`,
  )
  .join('\n')}
}
`;
  return `${block('Inputs', inputs)}\n${block('Outputs', outputs)}`;
}

function tensorType({ shape, dtype }: TensorInfo, dims: EntrySignature['dims']): string {
  return `Tensor<${arrays[dtype]}, readonly [${shapeType(shape, dims)}]>`;
}

/** `batch: number, seq: number, 384`: either all members of a tuple are named, or none, before TypeScript 5.2. */
function shapeType(shape: readonly Dim[], dims: EntrySignature['dims']): string {
  const types = shape.map((dim) => {
    if (typeof dim === 'number') return String(dim);
    const range = dims[dim];
    return range && range.min === range.max ? String(range.min) : 'number';
  });
  const names = shape.map((dim, axis) => (typeof dim === 'string' && isName(dim) ? dim : `axis${axis}`));
  return types
    .map((type, axis) => `${names.indexOf(names[axis]!) === axis ? names[axis] : `axis${axis}`}: ${type}`)
    .join(', ');
}

/** The typed array of each dtype; 16-bit floats are their bits. */
const arrays: Readonly<Record<DType, string>> = {
  f32: 'Float32Array',
  f16: 'Uint16Array',
  bf16: 'Uint16Array',
  i32: 'Int32Array',
  u32: 'Uint32Array',
  i8: 'Int8Array',
  u8: 'Uint8Array',
  bool: 'Uint8Array',
};

function showDims(dims: EntrySignature['dims']): string {
  const parts = Object.entries(dims).map(([name, { min, max }]) => {
    if (min === max) return `${name} = ${min}`;
    return max >= 2147483647 ? `${name} ≥ ${min}` : `${min} ≤ ${name} ≤ ${max}`;
  });
  return parts.length === 0 ? '' : `, for ${parts.join(', ')}`;
}

function doc(text: string, indent: string): string {
  return `${indent}/** ${text} */\n`;
}

function isName(text: string): boolean {
  return /^[A-Za-z_$][\w$]*$/.test(text);
}

function key(name: string): string {
  return isName(name) ? name : JSON.stringify(name);
}

/** What types of an entry point begin with: `TrainStep` for `train_step`. */
export function typeName(name: string): string {
  return name
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
}
