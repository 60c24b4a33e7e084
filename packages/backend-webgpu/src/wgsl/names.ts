/** Names of the loop language as identifiers that WGSL allows: its keywords and reserved words (§ 15 of the specification) are avoided. */

// prettier-ignore
const reserved = new Set((
  // keywords
  'alias break case const const_assert continue continuing default diagnostic discard else enable false fn for if let loop ' +
  'override requires return struct switch true var while ' +
  // reserved words
  'NULL Self abstract active alignas alignof as asm asm_fragment async attribute auto await become binding_array cast catch ' +
  'class co_await co_return co_yield coherent column_major common compile compile_fragment concept const_cast consteval ' +
  'constexpr constinit crate debugger decltype delete demote demote_to_helper do dynamic_cast enum explicit export extends ' +
  'extern external fallthrough filter final finally friend from fxgroup get goto groupshared highp impl implements import ' +
  'inline instanceof interface layout lowp macro macro_rules match mediump meta mod module move mut mutable namespace new nil ' +
  'noexcept noinline nointerpolation non_coherent noncoherent noperspective null nullptr of operator package packoffset ' +
  'partition pass patch pixelfragment precise precision premerge priv protected pub public readonly ref regardless register ' +
  'reinterpret_cast require resource restrict self set shared sizeof smooth snorm static static_assert static_cast std ' +
  'subroutine super target template this thread_local throw trait try type typedef typeid typename typeof union unless unorm ' +
  'unsafe unsized use using varying virtual volatile wgsl where with writeonly yield ' +
  // what the printer itself uses
  'bool f16 f32 i32 u32 vec2 vec3 vec4 array atomic atomicLoad atomicAnd atomicOr bitcast select abs min max floor round sqrt fma ' +
  'countLeadingZeros extractBits unpack2x16float workgroupBarrier storageBarrier sizes Sizes group groups thread inf nan ' +
  'is_nan min_f32 max_f32 at_most at_least mod_f32 div_i32 div_u32 mulhi i32_of u32_of f16_bits bf16_bits'
).split(' '));

/** Gives every name an identifier of its own, as near to the name as WGSL allows. */
export class Names {
  readonly #taken = new Set<string>();

  /** An identifier that nothing else has. */
  fresh(wanted: string): string {
    let stem = wanted.replace(/[^A-Za-z0-9_]/g, '_').replace(/^__+/, '_');
    if (!/^([A-Za-z]|_[A-Za-z0-9])/.test(stem)) stem = `v_${stem}`;
    let name = stem;
    for (let i = 2; reserved.has(name) || this.#taken.has(name); i++) name = `${stem}_${i}`;
    this.#taken.add(name);
    return name;
  }
}
