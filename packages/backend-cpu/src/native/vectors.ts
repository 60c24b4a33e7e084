/**
 * The C that every generated source begins with: vector types of 4, 8 and 16 lanes, and one function for each thing that C's
 * operators cannot say, with the exact meaning of the reference (`scalarFunction` of the IR). Each has a body in plain C
 * and, where it pays, one in intrinsics of x86 (AVX-512, AVX2, SSE4.1) or ARM (NEON).
 */

/** Lanes that a vector may have, widest first. */
export const widths = [16, 8, 4] as const;
/** Lanes of a vector. */
export type Width = (typeof widths)[number];

/** What is true of a machine when intrinsics of a width can be used, and how they are called there. */
const x86 = {
  16: { when: 'SINTER_AVX512', m: '_mm512', f: '__m512', i: '__m512i', half: '__m256i', quarter: '__m128i' },
  8: { when: 'SINTER_AVX2', m: '_mm256', f: '__m256', i: '__m256i', half: '__m128i', quarter: '__m128i' },
  4: { when: 'SINTER_SSE4', m: '_mm', f: '__m128', i: '__m128i', half: '__m128i', quarter: '__m128i' },
} as const;

/** A function: what it gives and takes, and its bodies; `N` stands for the lanes. */
interface Helper {
  readonly head: string;
  /** For x86, from the names of its types and the prefix of its intrinsics. */
  readonly x86?: (x: (typeof x86)[Width], n: Width) => string | undefined;
  /** For NEON, which has four lanes. */ readonly neon?: string;
  readonly plain: string;
}

const eachLane = (body: string, type: string): string =>
  `${type} r; for (int l = 0; l < N; l++) r[l] = ${body}; return r;`;
const bytesIn = (n: Width): string =>
  n === 16
    ? '_mm_loadu_si128((const void *)p)'
    : n === 8
      ? '_mm_loadl_epi64((const void *)p)'
      : '_mm_cvtsi32_si128(i32_at(p))';
const halvesIn = (n: Width): string =>
  n === 16
    ? '_mm256_loadu_si256((const void *)p)'
    : n === 8
      ? '_mm_loadu_si128((const void *)p)'
      : '_mm_loadl_epi64((const void *)p)';
/** Stores the low bytes or halves of each lane. */
const narrow = (n: Width, bits: 8 | 16, x: string): string => {
  const mask = bits === 8 ? 255 : 65535;
  if (n === 16)
    return bits === 8
      ? `_mm_storeu_si128((void *)p, _mm512_cvtepi32_epi8((__m512i)(${x})));`
      : `_mm256_storeu_si256((void *)p, _mm512_cvtepi32_epi16((__m512i)(${x})));`;
  const all =
    n === 8
      ? `__m256i t = _mm256_and_si256((__m256i)(${x}), _mm256_set1_epi32(${mask})); __m128i h = _mm_packus_epi32(_mm256_castsi256_si128(t), _mm256_extracti128_si256(t, 1));`
      : `__m128i t = _mm_and_si128((__m128i)(${x}), _mm_set1_epi32(${mask})); __m128i h = _mm_packus_epi32(t, t);`;
  if (bits === 16) return `${all} ${n === 8 ? '_mm_storeu_si128' : '_mm_storel_epi64'}((void *)p, h);`;
  return `${all} h = _mm_packus_epi16(h, h); ${n === 8 ? '_mm_storel_epi64((void *)p, h);' : 'int32_t w = _mm_cvtsi128_si32(h); memcpy(p, &w, 4);'}`;
};
const signOfMax = (n: Width, of: 'min' | 'max', m: string): string => {
  // Both orders agree but where a side is NaN (then the sum is NaN) or both are zeros (then the sign bits are joined).
  const join = of === 'max' ? '&' : '|';
  return `i32xN t = (i32xN)${m}_${of}_ps(a, b) ${join} (i32xN)${m}_${of}_ps(b, a); return select_f32xN((a != a) | (b != b), a + b, (f32xN)t);`;
};

/** All bits of the first `n` lanes. */
const firstLanes = (n: Width): string =>
  n === 8 ? '(__m256i)(iota_i32x8(0) < (i32)n)' : '(__m128i)(iota_i32x4(0) < (i32)n)';

const joined = (op: 'add' | 'mul' | 'min' | 'max', n: number, a: string, b: string): string =>
  op === 'add' ? `${a} + ${b}` : op === 'mul' ? `${a} * ${b}` : `${op}_f32${n === 1 ? '' : `x${n}`}(${a}, ${b})`;

// prettier-ignore
const helpers: readonly Helper[] = [
  ...(['f32', 'i32', 'u32'] as const).flatMap((t): Helper[] => [
    { head: `${t}xN load_${t}xN(const ${t} *p)`, plain: `return *(const ${t}xN_at *)p;` },
    { head: `void store_${t}xN(${t} *p, ${t}xN x)`, plain: `*(${t}xN_at *)p = x;` },
    { head: `${t}xN splat_${t}xN(${t} x)`, plain: `return (${t}xN){LANES(x)};` },
    { head: `${t}xN select_${t}xN(i32xN when, ${t}xN a, ${t}xN b)`, plain: `return (${t}xN)((when & (i32xN)a) | (~when & (i32xN)b));` },
  ]),
  { head: 'i32xN iota_i32xN(i32 first)', plain: 'return splat_i32xN(first) + (i32xN){COUNT};' },
  // ---- the first n lanes only; the others are 0
  ...(['f32', 'i32', 'u32'] as const).flatMap((t): Helper[] => {
    const i = t === 'f32' ? 'ps' : 'epi32';
    return [
      { head: `${t}xN load_first_${t}xN(const ${t} *p, idx n)`,
        x86: ({ m }, n) => n === 16 ? `return (${t}xN)_mm512_maskz_loadu_${i}((__mmask16)((1u << n) - 1), p);` : `return (${t}xN)${m}_maskload_${i}((const void *)p, ${firstLanes(n)});`,
        plain: `${t}xN r = {0}; for (idx l = 0; l < N; l++) if (l < n) r[l] = p[l]; return r;` },
      { head: `void store_first_${t}xN(${t} *p, ${t}xN x, idx n)`,
        x86: ({ m, i: type }, n) => n === 16 ? `_mm512_mask_storeu_${i}(p, (__mmask16)((1u << n) - 1), ${t === 'f32' ? 'x' : '(__m512i)x'});` : `${m}_maskstore_${i}((void *)p, ${firstLanes(n)}, ${t === 'f32' ? 'x' : `(${type})x`});`,
        plain: 'for (idx l = 0; l < N; l++) if (l < n) p[l] = x[l];' },
    ];
  }),
  // ---- arithmetic
  { head: 'f32xN fma_f32xN(f32xN a, f32xN b, f32xN c)',
    x86: ({ m }) => `return (f32xN)${m}_fmadd_ps(a, b, c);`, neon: 'return (f32x4)vfmaq_f32(c, a, b);',
    plain: eachLane('__builtin_fmaf(a[l], b[l], c[l])', 'f32xN') },
  { head: 'f32xN sqrt_f32xN(f32xN x)', x86: ({ m }) => `return (f32xN)${m}_sqrt_ps(x);`, neon: 'return (f32x4)vsqrtq_f32(x);',
    plain: eachLane('__builtin_sqrtf(x[l])', 'f32xN') },
  { head: 'f32xN floor_f32xN(f32xN x)', x86: ({ m }, n) => `return (f32xN)${m}_${n === 16 ? 'roundscale' : 'round'}_ps(x, 9);`,
    neon: 'return (f32x4)vrndmq_f32(x);', plain: eachLane('__builtin_floorf(x[l])', 'f32xN') },
  { head: 'f32xN round_f32xN(f32xN x)', x86: ({ m }, n) => `return (f32xN)${m}_${n === 16 ? 'roundscale' : 'round'}_ps(x, 8);`,
    neon: 'return (f32x4)vrndnq_f32(x);', plain: eachLane('__builtin_rintf(x[l])', 'f32xN') },
  { head: 'f32xN abs_f32xN(f32xN x)', plain: 'return (f32xN)((i32xN)x & 0x7fffffff);' },
  // What machines call minimum: `q` where it is less, else `p`; NaN in `p` stays.
  { head: 'f32xN pmin_f32xN(f32xN p, f32xN q)', x86: ({ m }) => `return (f32xN)${m}_min_ps(q, p);`, plain: 'return select_f32xN(q < p, q, p);' },
  { head: 'f32xN pmax_f32xN(f32xN p, f32xN q)', x86: ({ m }) => `return (f32xN)${m}_max_ps(q, p);`, plain: 'return select_f32xN(p < q, q, p);' },
  { head: 'f32xN min_f32xN(f32xN a, f32xN b)', x86: ({ m }, n) => signOfMax(n, 'min', m), neon: 'return (f32x4)vminq_f32(a, b);',
    plain: eachLane('min_f32(a[l], b[l])', 'f32xN') },
  { head: 'f32xN max_f32xN(f32xN a, f32xN b)', x86: ({ m }, n) => signOfMax(n, 'max', m), neon: 'return (f32x4)vmaxq_f32(a, b);',
    plain: eachLane('max_f32(a[l], b[l])', 'f32xN') },
  ...(['i32', 'u32'] as const).flatMap((t): Helper[] => [
    { head: `${t}xN min_${t}xN(${t}xN a, ${t}xN b)`, plain: `return select_${t}xN(b < a, b, a);` },
    { head: `${t}xN max_${t}xN(${t}xN a, ${t}xN b)`, plain: `return select_${t}xN(a < b, b, a);` },
  ]),
  { head: 'i32xN abs_i32xN(i32xN x)', plain: 'return select_i32xN(x < 0, -x, x);' },
  // All lanes as one: lane l with lane l + N/2, and so on.
  ...(['add', 'mul', 'min', 'max'] as const).map((op): Helper => ({
    head: `f32 reduce_${op}_f32xN(f32xN x)`,
    x86: ({ m }, n) =>
      n === 4 ? undefined : `return reduce_${op}_f32x${n / 2}(${joined(op, n / 2, `(f32x${n / 2})${m}_cast${n === 16 ? 'ps512_ps256' : 'ps256_ps128'}(x)`, `(f32x${n / 2})${n === 16 ? '_mm512_extractf32x8_ps' : '_mm256_extractf128_ps'}(x, 1)`)});`,
    plain: `for (int n = N / 2; n > 0; n /= 2) for (int l = 0; l < n; l++) x[l] = ${joined(op, 1, 'x[l]', 'x[l + n]')}; return x[0];`,
  })),
  { head: 'u32xN mulhi_u32xN(u32xN a, u32xN b)',
    x86: ({ m, i }, n) => {
      const shift = (x: string): string => `${m}_srli_epi64(${x}, 32)`;
      const join = n === 16 ? '_mm512_mask_mov_epi32(even, 0xaaaa, odd)' : n === 8 ? '_mm256_blend_epi32(even, odd, 0xaa)' : '_mm_blend_epi16(even, odd, 0xcc)';
      return `${i} x = (${i})a, y = (${i})b, even = ${shift(`${m}_mul_epu32(x, y)`)}, odd = ${m}_mul_epu32(${shift('x')}, ${shift('y')}); return (u32xN)${join};`;
    },
    plain: eachLane('(u32)(((uint64_t)a[l] * b[l]) >> 32)', 'u32xN') },
  // ---- conversions: out of range is the nearest in range, NaN is 0
  { head: 'i32xN i32_f32xN(f32xN x)',
    x86: ({ m }) => `i32xN t = (i32xN)${m}_cvttps_epi32(x); t = select_i32xN(x >= 2147483648.0f, splat_i32xN(INT32_MAX), t); return t & (x == x);`,
    neon: 'return (i32x4)vcvtq_s32_f32(x);', plain: eachLane('i32_f32(x[l])', 'i32xN') },
  { head: 'u32xN u32_f32xN(f32xN x)', x86: ({ m }, n) => (n === 16 ? `return (u32xN)${m}_cvttps_epu32(${m}_max_ps(x, ${m}_setzero_ps()));` : undefined),
    neon: 'return (u32x4)vcvtq_u32_f32(x);', plain: eachLane('u32_f32(x[l])', 'u32xN') },
  { head: 'f32xN f32_i32xN(i32xN x)', plain: 'return __builtin_convertvector(x, f32xN);' },
  { head: 'f32xN f32_u32xN(u32xN x)', x86: ({ m }, n) => (n === 16 ? `return (f32xN)${m}_cvtepu32_ps((__m512i)x);` : undefined),
    neon: 'return (f32x4)vcvtq_f32_u32(x);', plain: eachLane('(f32)x[l]', 'f32xN') },
  // ---- narrow elements
  { head: 'i32xN load_i8xN(const i8 *p)', x86: ({ m }, n) => `return (i32xN)${m}_cvtepi8_epi32(${bytesIn(n)});`, plain: eachLane('p[l]', 'i32xN') },
  { head: 'i32xN load_u8xN(const u8 *p)', x86: ({ m }, n) => `return (i32xN)${m}_cvtepu8_epi32(${bytesIn(n)});`, plain: eachLane('p[l]', 'i32xN') },
  { head: 'i32xN load_boolxN(const u8 *p)', plain: 'return -load_u8xN(p);' },
  { head: 'void store_u8xN(u8 *p, i32xN x)', x86: (_, n) => narrow(n, 8, 'x'), plain: 'for (int l = 0; l < N; l++) p[l] = (u8)x[l];' },
  { head: 'void store_i8xN(i8 *p, i32xN x)', plain: 'store_u8xN((u8 *)p, x);' },
  { head: 'void store_boolxN(u8 *p, i32xN x)', plain: 'store_u8xN(p, -x);' },
  { head: 'i32xN load_u16xN(const u16 *p)', x86: ({ m }, n) => `return (i32xN)${m}_cvtepu16_epi32(${halvesIn(n)});`, plain: eachLane('p[l]', 'i32xN') },
  { head: 'void store_u16xN(u16 *p, i32xN x)', x86: (_, n) => narrow(n, 16, 'x'), plain: 'for (int l = 0; l < N; l++) p[l] = (u16)x[l];' },
  { head: 'f32xN load_bf16xN(const u16 *p)', plain: 'return (f32xN)(load_u16xN(p) << 16);' },
  { head: 'void store_bf16xN(u16 *p, f32xN x)',
    plain: 'u32xN b = (u32xN)x, up = (b + 0x7fffu + ((b >> 16) & 1u)) >> 16; store_u16xN(p, select_i32xN(x == x, (i32xN)up, (i32xN)((b >> 16) | 0x40u)));' },
  { head: 'f32xN load_f16xN(const u16 *p)', x86: ({ m }, n) => `return (f32xN)${m}_cvtph_ps(${halvesIn(n)});`, plain: eachLane('f32_f16(p[l])', 'f32xN') },
  { head: 'void store_f16xN(u16 *p, f32xN x)',
    x86: ({ m }, n) => `${n === 16 ? '_mm256_storeu_si256' : n === 8 ? '_mm_storeu_si128' : '_mm_storel_epi64'}((void *)p, ${m}_cvtps_ph(x, ${n === 16 ? 8 : 0}));`,
    plain: 'for (int l = 0; l < N; l++) p[l] = f16_f32(x[l]);' },
  ...(['i8', 'u8', 'bool', 'f16', 'bf16'] as const).flatMap((t): Helper[] => {
    const [vector, type] = t === 'f16' || t === 'bf16' ? ['f32xN', 'u16'] : ['i32xN', t === 'bool' ? 'u8' : t];
    return [
      { head: `${vector} load_first_${t}xN(const ${type} *p, idx n)`, plain: `${type} t[N] = {0}; for (idx l = 0; l < n; l++) t[l] = p[l]; return load_${t}xN(t);` },
      { head: `void store_first_${t}xN(${type} *p, ${vector} x, idx n)`, plain: `${type} t[N]; store_${t}xN(t, x); for (idx l = 0; l < n; l++) p[l] = t[l];` },
    ];
  }),
  { head: 'f32xN round_f16xN(f32xN x)', plain: 'u16 t[N]; store_f16xN(t, x); return load_f16xN(t);' },
  { head: 'f32xN round_bf16xN(f32xN x)', plain: 'u16 t[N]; store_bf16xN(t, x); return load_bf16xN(t);' },
];

const start = `#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__FMA__) && defined(__F16C__)
#define SINTER_AVX512 1
#endif
#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#define SINTER_AVX2 1
#define SINTER_SSE4 1
#endif
#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__ARM_NEON) && defined(__aarch64__)
#include <arm_neon.h>
#define SINTER_NEON 1
#endif

#define INLINE static inline __attribute__((always_inline, unused))

typedef float f32;
typedef int32_t i32;
typedef uint32_t u32;
typedef int8_t i8;
typedef uint8_t u8;
typedef uint16_t u16;
typedef ptrdiff_t idx;

INLINE f32 f32_bits(u32 x) { f32 r; memcpy(&r, &x, 4); return r; }
INLINE u32 u32_bits(f32 x) { u32 r; memcpy(&r, &x, 4); return r; }
INLINE i32 i32_at(const void *p) { i32 r; memcpy(&r, p, 4); return r; }
INLINE i32 i32_bits(f32 x) { return (i32)u32_bits(x); }
INLINE f32 min_f32(f32 a, f32 b) {
  return a < b ? a : b < a ? b : a == b ? f32_bits(u32_bits(a) | u32_bits(b)) : a + b;
}
INLINE f32 max_f32(f32 a, f32 b) {
  return b < a ? a : a < b ? b : a == b ? f32_bits(u32_bits(a) & u32_bits(b)) : a + b;
}
INLINE i32 min_i32(i32 a, i32 b) { return b < a ? b : a; }
INLINE i32 max_i32(i32 a, i32 b) { return a < b ? b : a; }
INLINE u32 min_u32(u32 a, u32 b) { return b < a ? b : a; }
INLINE u32 max_u32(u32 a, u32 b) { return a < b ? b : a; }
INLINE i32 abs_i32(i32 x) { return x < 0 ? -x : x; }
INLINE i32 i32_f32(f32 x) {
  return x != x ? 0 : x >= 2147483648.0f ? INT32_MAX : x < -2147483648.0f ? INT32_MIN : (i32)x;
}
INLINE u32 u32_f32(f32 x) { return x >= 4294967296.0f ? UINT32_MAX : x > 0.0f ? (u32)x : 0; }
INLINE i32 div_i32(i32 a, i32 b) { return b == 0 ? 0 : b == -1 ? -a : a / b; }
INLINE i32 mod_i32(i32 a, i32 b) { return b == 0 || b == -1 ? 0 : a % b; }
INLINE u32 div_u32(u32 a, u32 b) { return b == 0 ? 0 : a / b; }
INLINE u32 mod_u32(u32 a, u32 b) { return b == 0 ? 0 : a % b; }
INLINE u32 mulhi_u32(u32 a, u32 b) { return (u32)(((uint64_t)a * b) >> 32); }
INLINE f32 f32_bf16(u16 x) { return f32_bits((u32)x << 16); }
INLINE u16 bf16_f32(f32 x) {
  u32 b = u32_bits(x);
  return (u16)(x != x ? (b >> 16) | 0x40 : (b + 0x7fff + ((b >> 16) & 1)) >> 16);
}
// Half precision, after Maratyszcza's FP16: shifted into place as a float of another exponent, which a multiplication puts right.
INLINE f32 f32_f16(u16 x) {
  u32 sign = (u32)(x & 0x8000) << 16, rest = (u32)(x & 0x7fff) << 13;
  u32 value = u32_bits(f32_bits(rest) * 0x1p112f);
  return f32_bits(sign | value | (rest >= 0x0f800000 ? 0x7f800000 : 0));
}
INLINE u16 f16_f32(f32 x) {
  u32 bits = u32_bits(x), sign = bits & 0x80000000, twice = bits << 1;
  f32 base = (f32_bits(bits & 0x7fffffff) * 0x1p112f) * 0x1p-110f;
  u32 bias = twice & 0xff000000;
  if (bias < 0x71000000) bias = 0x71000000;
  u32 sum = u32_bits(f32_bits((bias >> 1) + 0x07800000) + base);
  u32 rest = ((sum >> 13) & 0x7c00) + (sum & 0x0fff);
  return (u16)((sign >> 16) | (twice > 0xff000000 ? 0x7e00 : rest));
}
INLINE f32 round_f16(f32 x) { return f32_f16(f16_f32(x)); }
INLINE f32 round_bf16(f32 x) { return f32_bf16(bf16_f32(x)); }

// A thread among others, and what counts the iterations that are taken: of each thread's share a number of its own.
struct crew {
  _Atomic(i32) *taken;
  idx stride;
  i32 thread, threads;
};

// Iterations that this thread takes next, [from, to): an eighth of its own share, which is the same in every kernel, so that what it
// reads is what it has written; then of what others have not taken yet.
__attribute__((noinline, unused)) static int take(const struct crew *c, idx count, idx *from, idx *to) {
  for (i32 i = 0; i < c->threads; i++) {
    i32 whose = (c->thread + i) % c->threads;
    idx first = count * whose / c->threads, end = count * (whose + 1) / c->threads;
    idx chunk = (end - first) / 8 > 1 ? (end - first) / 8 : 1;
    _Atomic(i32) *taken = c->taken + whose * c->stride;
    if (first + atomic_load_explicit(taken, memory_order_relaxed) >= end) continue;
    *from = first + atomic_fetch_add_explicit(taken, (i32)chunk, memory_order_relaxed);
    if (*from >= end) continue;
    *to = *from + chunk < end ? *from + chunk : end;
    return 1;
  }
  return 0;
}
`;

function types(n: Width): string {
  const vector = (of: string, name: string): string =>
    `typedef ${of} ${name}x${n} __attribute__((vector_size(${4 * n})));\n` +
    `typedef ${of} ${name}x${n}_at __attribute__((vector_size(${4 * n}), aligned(4), may_alias));`;
  return ['f32', 'i32', 'u32'].map((t) => vector(t, t)).join('\n');
}

function helper({ head, x86: onX86, neon, plain }: Helper, n: Width): string {
  const fill = (text: string): string =>
    text
      .replace(/LANES\((\w+)\)/g, (_, x: string) => Array<string>(n).fill(x).join(', '))
      .replace('COUNT', Array.from({ length: n }, (_, l) => l).join(', '))
      .replace(/\bN\b|(?<=x)N\b|(?<=x)N(?=_at)/g, String(n));
  const bodies = [
    { when: x86[n].when, body: onX86?.(x86[n], n) },
    { when: 'SINTER_NEON', body: n === 4 ? neon : undefined },
  ].filter(({ body }) => body !== undefined);
  if (bodies.length === 0) return `INLINE ${fill(head)} { ${fill(plain)} }`;
  return [
    `INLINE ${fill(head)} {`,
    ...bodies.map(({ when, body }, i) => `#${i === 0 ? 'if' : 'elif'} defined(${when})\n  ${fill(body!)}`),
    `#else\n  ${fill(plain)}\n#endif\n}`,
  ].join('\n');
}

/** The declarations for vectors of up to `lanes` lanes. */
export function vectorHeader(lanes: number): string {
  const used = widths.filter((n) => n <= Math.max(4, lanes));
  return (
    [start, ...used.toReversed().map((n) => [types(n), ...helpers.map((h) => helper(h, n))].join('\n'))].join('\n') +
    '\n'
  );
}
