/** Writes WebAssembly modules: LEB128 numbers, instructions and sections (https://webassembly.github.io/spec/core/binary/). */

/** The type of a value on the stack or in a local. */
export type ValueType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128';
/** What a function takes and gives. */
export interface FunctionType {
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}
/** A function: the types of its locals (after the parameters) and its instructions without the final `end`. */
export interface FunctionCode {
  readonly name: string;
  readonly type: FunctionType;
  readonly locals: readonly ValueType[];
  readonly code: readonly number[];
}
/** Something that the module is given: a shared memory, an immutable `i32` global or a function. */
export type Import =
  | { readonly k: 'memory'; readonly module: string; readonly name: string; readonly min: number; readonly max: number }
  | { readonly k: 'global'; readonly module: string; readonly name: string }
  | { readonly k: 'function'; readonly module: string; readonly name: string; readonly type: FunctionType };
/** A module. Functions are numbered with the imported ones first; `exports` names them by number. */
export interface ModuleParts {
  readonly imports: readonly Import[];
  readonly functions: readonly FunctionCode[];
  readonly exports: Readonly<Record<string, number>>;
}

const typeCode: { readonly [T in ValueType]: number } = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b };

/** An unsigned number in LEB128. */
export function unsigned(n: number): number[] {
  const out: number[] = [];
  let rest = n >>> 0;
  for (; rest >= 0x80; rest >>>= 7) out.push((rest & 0x7f) | 0x80);
  out.push(rest);
  return out;
}

/** A signed 32-bit number in LEB128. */
export function signed(n: number): number[] {
  const out: number[] = [];
  for (let rest = n | 0; ; rest >>= 7) {
    const last = rest >= -64 && rest < 64;
    out.push(last ? rest & 0x7f : (rest & 0x7f) | 0x80);
    if (last) return out;
  }
}

const scratch = new DataView(new ArrayBuffer(8));

/** The four bytes of an `f32`. */
export function f32Bytes(x: number): number[] {
  scratch.setFloat32(0, x, true);
  return [0, 1, 2, 3].map((i) => scratch.getUint8(i));
}

/** The eight bytes of an `f64`. */
export function f64Bytes(x: number): number[] {
  scratch.setFloat64(0, x, true);
  return [0, 1, 2, 3, 4, 5, 6, 7].map((i) => scratch.getUint8(i));
}

/** The four bytes of an `i32`. */
export function i32Bytes(x: number): number[] {
  return [x & 0xff, (x >>> 8) & 0xff, (x >>> 16) & 0xff, x >>> 24];
}

/** An instruction: its opcode (see `opcodes.ts`) and the bytes of its immediates. */
export function instruction(opcode: number, immediates: readonly number[] = []): number[] {
  return opcode < 0x10000 ? [opcode, ...immediates] : [opcode >>> 16, ...unsigned(opcode & 0xffff), ...immediates];
}

/** The immediates of a load or store: alignment as a power of two, and a constant offset in bytes. */
export function memarg(align: number, offset: number): number[] {
  return [align, ...unsigned(offset)];
}

const text = (s: string): number[] => {
  const bytes = [...new TextEncoder().encode(s)];
  return [...unsigned(bytes.length), ...bytes];
};
const vector = (items: readonly (readonly number[])[]): number[] => [...unsigned(items.length), ...items.flat()];

/** The types of locals, equal neighbours counted together. */
function localGroups(locals: readonly ValueType[]): number[] {
  const groups: { type: ValueType; count: number }[] = [];
  for (const type of locals) {
    const last = groups.at(-1);
    if (last?.type === type) last.count++;
    else groups.push({ type, count: 1 });
  }
  return vector(groups.map((g) => [...unsigned(g.count), typeCode[g.type]]));
}

/** The bytes of a module. */
export function encodeModule(parts: ModuleParts): Uint8Array<ArrayBuffer> {
  const types: string[] = [];
  const typeBytes: number[][] = [];
  const typeIndex = (t: FunctionType): number => {
    const key = `${t.params.join()}:${t.results.join()}`;
    const known = types.indexOf(key);
    if (known >= 0) return known;
    typeBytes.push([
      0x60,
      ...vector(t.params.map((p) => [typeCode[p]])),
      ...vector(t.results.map((r) => [typeCode[r]])),
    ]);
    return types.push(key) - 1;
  };
  const imports = parts.imports.map((i) => {
    const name = [...text(i.module), ...text(i.name)];
    switch (i.k) {
      case 'memory':
        return [...name, 0x02, 0x03, ...unsigned(i.min), ...unsigned(i.max)];
      case 'global':
        return [...name, 0x03, typeCode.i32, 0x00];
      case 'function':
        return [...name, 0x00, ...unsigned(typeIndex(i.type))];
      default:
        return i satisfies never;
    }
  });
  const declared = parts.functions.map((f) => unsigned(typeIndex(f.type)));
  const imported = parts.imports.filter((i) => i.k === 'function').length;

  const chunks: (readonly number[])[] = [[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]];
  const section = (id: number, content: readonly (readonly number[])[]): void => {
    chunks.push([id, ...unsigned(content.reduce((sum, c) => sum + c.length, 0))], ...content);
  };
  section(1, [vector(typeBytes)]);
  section(2, [vector(imports)]);
  section(3, [vector(declared)]);
  section(7, [vector(Object.entries(parts.exports).map(([name, index]) => [...text(name), 0x00, ...unsigned(index)]))]);
  section(10, [
    unsigned(parts.functions.length),
    ...parts.functions.flatMap((f) => {
      const locals = localGroups(f.locals);
      return [unsigned(locals.length + f.code.length + 1), locals, f.code, [0x0b]];
    }),
  ]);
  const names = vector(parts.functions.map((f, i) => [...unsigned(imported + i), ...text(f.name)]));
  section(0, [text('name'), [1, ...unsigned(names.length)], names]);

  const bytes = new Uint8Array(chunks.reduce((sum, c) => sum + c.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
