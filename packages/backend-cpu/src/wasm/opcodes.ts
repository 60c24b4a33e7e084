/**
 * The WebAssembly instructions that the code generator uses, by name (core, saturating conversion, SIMD, relaxed SIMD
 * and threads; https://webassembly.github.io/spec/core/appendix/index-instructions.html).
 */

/** Instructions with a prefix byte are written `prefix << 16 | number`. */
const fc = 0xfc0000;
const simd = 0xfd0000;
const atomic = 0xfe0000;

/** Control, locals and scalars. */
// prettier-ignore
export const op = {
  block: 0x02, loop: 0x03, if: 0x04, else: 0x05, end: 0x0b, br: 0x0c, brIf: 0x0d, return: 0x0f, call: 0x10, drop: 0x1a, select: 0x1b,
  localGet: 0x20, localSet: 0x21, localTee: 0x22, globalGet: 0x23,
  i32Load: 0x28, f32Load: 0x2a, i32Load8S: 0x2c, i32Load8U: 0x2d, i32Load16S: 0x2e, i32Store: 0x36, f32Store: 0x38, f64Store: 0x39, i32Store8: 0x3a, i32Store16: 0x3b,
  i32Const: 0x41, i64Const: 0x42, f32Const: 0x43, f64Const: 0x44,
  i32Eqz: 0x45, i32Eq: 0x46, i32Ne: 0x47, i32LtS: 0x48, i32LtU: 0x49, i32LeS: 0x4c, i32LeU: 0x4d, i32GeS: 0x4e,
  f32Eq: 0x5b, f32Ne: 0x5c, f32Lt: 0x5d, f32Le: 0x5f, f64Lt: 0x63, f64Gt: 0x64, f64Ge: 0x66,
  i32Add: 0x6a, i32Sub: 0x6b, i32Mul: 0x6c, i32DivS: 0x6d, i32DivU: 0x6e, i32RemS: 0x6f, i32RemU: 0x70,
  i32And: 0x71, i32Or: 0x72, i32Xor: 0x73, i32Shl: 0x74, i32ShrS: 0x75, i32ShrU: 0x76,
  i64Mul: 0x7e, i64And: 0x83, i64ShrU: 0x88,
  f32Abs: 0x8b, f32Neg: 0x8c, f32Floor: 0x8e, f32Nearest: 0x90, f32Sqrt: 0x91,
  f32Add: 0x92, f32Sub: 0x93, f32Mul: 0x94, f32Div: 0x95, f32Min: 0x96, f32Max: 0x97,
  f64Abs: 0x99, f64Trunc: 0x9d, f64Add: 0xa0, f64Sub: 0xa1, f64Mul: 0xa2, f64Div: 0xa3, f64Copysign: 0xa6,
  i32WrapI64: 0xa7, i64ExtendI32U: 0xad, f32ConvertI32S: 0xb2, f32ConvertI32U: 0xb3, f32DemoteF64: 0xb6, f64PromoteF32: 0xbb,
  i32ReinterpretF32: 0xbc, i64ReinterpretF64: 0xbd, f32ReinterpretI32: 0xbe, f64ReinterpretI64: 0xbf, i32Extend8S: 0xc0,
  i32TruncSatF32S: fc | 0x00, i32TruncSatF32U: fc | 0x01,
} as const;

/** Vectors. */
// prettier-ignore
export const vop = {
  load: simd | 0x00, load16x4S: simd | 0x03, load32Splat: simd | 0x09, store: simd | 0x0b, const: simd | 0x0c, shuffle: simd | 0x0d,
  i32x4Splat: simd | 0x11, f32x4Splat: simd | 0x13, i32x4ExtractLane: simd | 0x1b, i32x4ReplaceLane: simd | 0x1c,
  f32x4ExtractLane: simd | 0x1f, f32x4ReplaceLane: simd | 0x20,
  i32x4Eq: simd | 0x37, i32x4Ne: simd | 0x38, i32x4LtS: simd | 0x39, i32x4LtU: simd | 0x3a, i32x4LeS: simd | 0x3d, i32x4LeU: simd | 0x3e,
  f32x4Eq: simd | 0x41, f32x4Ne: simd | 0x42, f32x4Lt: simd | 0x43, f32x4Le: simd | 0x45,
  not: simd | 0x4d, and: simd | 0x4e, andnot: simd | 0x4f, or: simd | 0x50, xor: simd | 0x51, bitselect: simd | 0x52,
  load32Lane: simd | 0x56, store32Lane: simd | 0x5a, store64Lane: simd | 0x5b, load32Zero: simd | 0x5c,
  f32x4Floor: simd | 0x68, f32x4Nearest: simd | 0x6a,
  i16x8ExtendLowI8x16S: simd | 0x87, i16x8ExtendLowI8x16U: simd | 0x89,
  i32x4Abs: simd | 0xa0, i32x4Neg: simd | 0xa1, i32x4ExtendLowI16x8S: simd | 0xa7, i32x4ExtendLowI16x8U: simd | 0xa9,
  i32x4Shl: simd | 0xab, i32x4ShrS: simd | 0xac, i32x4ShrU: simd | 0xad, i32x4Add: simd | 0xae, i32x4Sub: simd | 0xb1, i32x4Mul: simd | 0xb5,
  i32x4MinS: simd | 0xb6, i32x4MinU: simd | 0xb7, i32x4MaxS: simd | 0xb8, i32x4MaxU: simd | 0xb9,
  i64x2ExtmulLowI32x4U: simd | 0xde, i64x2ExtmulHighI32x4U: simd | 0xdf,
  f32x4Abs: simd | 0xe0, f32x4Neg: simd | 0xe1, f32x4Sqrt: simd | 0xe3, f32x4Add: simd | 0xe4, f32x4Sub: simd | 0xe5,
  f32x4Mul: simd | 0xe6, f32x4Div: simd | 0xe7, f32x4Min: simd | 0xe8, f32x4Max: simd | 0xe9, f32x4Pmin: simd | 0xea, f32x4Pmax: simd | 0xeb,
  i32x4TruncSatF32x4S: simd | 0xf8, i32x4TruncSatF32x4U: simd | 0xf9, f32x4ConvertI32x4S: simd | 0xfa, f32x4ConvertI32x4U: simd | 0xfb,
  f32x4RelaxedMadd: simd | 0x105, i32x4RelaxedLaneselect: simd | 0x10b,
} as const;

/** Threads. */
// prettier-ignore
export const aop = {
  notify: atomic | 0x00, wait32: atomic | 0x01, i32Load: atomic | 0x10, i32Store: atomic | 0x17, i32Add: atomic | 0x1e,
} as const;

/** The type of a block that takes and leaves nothing on the stack. */
export const emptyBlock = 0x40;
