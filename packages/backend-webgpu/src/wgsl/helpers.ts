/** Functions that a kernel brings along where WGSL's own do not mean what the loop language means. */

/** A function and those that it calls. */
interface Helper {
  readonly code: string;
  readonly needs?: readonly HelperName[];
}

/** The helpers, by their names in WGSL. */
export type HelperName = keyof typeof table;

const table = {
  /** Compared by its bits, since compilers may take it that there is no NaN. */
  is_nan: {
    code: `fn is_nan(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}`,
  },
  /** NaN if one is. */
  min_f32: {
    needs: ['is_nan'],
    code: `fn min_f32(a: f32, b: f32) -> f32 {
  return select(b, a, (a < b) | is_nan(a));
}`,
  },
  max_f32: {
    needs: ['is_nan'],
    code: `fn max_f32(a: f32, b: f32) -> f32 {
  return select(b, a, (b < a) | is_nan(a));
}`,
  },
  /** The same where one is a constant: a comparison with NaN is false and chooses it. */
  at_most: {
    code: `fn at_most(x: f32, bound: f32) -> f32 {
  return select(x, bound, bound < x);
}`,
  },
  at_least: {
    code: `fn at_least(x: f32, bound: f32) -> f32 {
  return select(x, bound, x < bound);
}`,
  },
  /** The remainder without rounding, as C's fmod: eight bits of the quotient at a time. */
  mod_f32: {
    code: `fn mod_f32(x: f32, y: f32) -> f32 {
  let a = bitcast<u32>(x) & 0x7fffffffu;
  let b = bitcast<u32>(y) & 0x7fffffffu;
  if ((b == 0u) | (0x7f800000u <= a) | (0x7f800000u < b)) {
    return bitcast<f32>(sizes.nan);
  }
  if (a < b) {
    return x;
  }
  var exponent = max(a >> 23u, 1u);
  let goal = max(b >> 23u, 1u);
  let divisor = (b & 0x7fffffu) | select(0u, 0x800000u, 0x800000u <= b);
  var rest = ((a & 0x7fffffu) | select(0u, 0x800000u, 0x800000u <= a)) % divisor;
  while (goal < exponent) {
    let bits = min(exponent - goal, 8u);
    rest = (rest << bits) % divisor;
    exponent -= bits;
  }
  let shift = min(countLeadingZeros(rest) - 8u, exponent - 1u);
  let mantissa = rest << shift;
  let biased = select(0u, (exponent - shift) << 23u, 0x800000u <= mantissa);
  return bitcast<f32>((bitcast<u32>(x) & 0x80000000u) | biased | (mantissa & 0x7fffffu));
}`,
  },
  /** Division by zero is 0; that of the least number by −1 is itself, in WGSL too. */
  div_i32: {
    code: `fn div_i32(a: i32, b: i32) -> i32 {
  return select(a / b, 0, b == 0);
}`,
  },
  div_u32: {
    code: `fn div_u32(a: u32, b: u32) -> u32 {
  return select(a / b, 0u, b == 0u);
}`,
  },
  /** The high half of a 64-bit product, from four products of halves. */
  mulhi: {
    code: `fn mulhi(a: u32, b: u32) -> u32 {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let mixed = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
  let other = (a & 0xffffu) * (b >> 16u) + (mixed & 0xffffu);
  return (a >> 16u) * (b >> 16u) + (mixed >> 16u) + (other >> 16u);
}`,
  },
  /** WGSL clamps to the largest f32 below 2³¹, the loop language to 2³¹ − 1; NaN is 0. */
  i32_of: {
    needs: ['is_nan'],
    code: `fn i32_of(x: f32) -> i32 {
  return select(select(i32(x), 0x7fffffff, 2147483648.0 <= x), 0, is_nan(x));
}`,
  },
  u32_of: {
    needs: ['is_nan'],
    code: `fn u32_of(x: f32) -> u32 {
  return select(select(u32(max(x, 0.0)), 0xffffffffu, 4294967296.0 <= x), 0u, is_nan(x));
}`,
  },
  /** The bits of an f16, rounded to nearest even (WGSL leaves the rounding of pack2x16float open). */
  f16_bits: {
    code: `fn f16_bits(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let sign = (bits >> 16u) & 0x8000u;
  let size = bits & 0x7fffffffu;
  if (0x7f800000u < size) {
    return sign | 0x7e00u;
  }
  if (0x477ff000u <= size) {
    return sign | 0x7c00u;
  }
  if (size < 0x38800000u) {
    return sign | u32(round(bitcast<f32>(size) * 16777216.0));
  }
  return sign | ((size + 0xfffu + ((size >> 13u) & 1u) - 0x38000000u) >> 13u);
}`,
  },
  bf16_bits: {
    needs: ['is_nan'],
    code: `fn bf16_bits(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  return select((bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u, (bits >> 16u) | 0x40u, is_nan(x));
}`,
  },
} as const satisfies Record<string, { readonly code: string; readonly needs?: readonly string[] }>;

const helpers: { readonly [H in HelperName]: Helper } = table;

/** The code of helpers and of what they call, each once, what is called first. */
export function helperCode(names: Iterable<HelperName>): string[] {
  const done = new Set<HelperName>();
  const visit = (name: HelperName): string[] => {
    if (done.has(name)) return [];
    done.add(name);
    return [...(helpers[name].needs ?? []).flatMap(visit), helpers[name].code];
  };
  return [...names].flatMap(visit);
}
