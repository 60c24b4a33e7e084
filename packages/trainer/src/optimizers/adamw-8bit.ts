/**
 * AdamW whose two slots take a byte for each element instead of four. Blocks of elements share a scale, as in Dettmers et al., "8-bit
 * optimizers via block-wise quantization", 2022; in place of its table of codes, codes are powers: the mean as its square root, the mean of
 * squares as its fourth root, rounded up, so that no step gets longer by the rounding.
 */
import {
  abs,
  cast,
  ceil,
  div,
  full,
  greater,
  max,
  maximum,
  mul,
  pad,
  reshape,
  round,
  sign,
  slice,
  sqrt,
  square,
  where,
} from '@sinter/ir';
import type { DType, Shape, Tensor } from '@sinter/ir';
import { adamw } from './adamw.ts';
import type { AdamWOptions } from './adamw.ts';
import type { Optimizer } from './optimizer.ts';

/** Elements that share a scale. */
const block = 256;
/** Parameters with fewer elements keep whole slots, as in bitsandbytes. */
const least = 4096;

/** AdamW in 8 bits: slots `m` (`i8`), `v` (`u8`) and their scales; parameters of few elements are {@link adamw}'s. */
export function adamw8bit(options: AdamWOptions = {}): Optimizer {
  const whole = adamw(options);
  return {
    slots(param) {
      const count = elements(param.shape);
      if (count < least) return whole.slots(param);
      const blocks = Math.ceil(count / block);
      const codes = (dtype: DType) => ({ shape: [blocks, block], dtype });
      const scale = { shape: [blocks, 1], dtype: 'f32' as const };
      return { m: codes('i8'), m_scale: scale, v: codes('u8'), v_scale: scale };
    },
    update(g, p, slots, at) {
      const count = elements(p.shape);
      if (count < least) return whole.update(g, p, slots, at);
      // Blocks are rows; what fills the last one stays 0.
      const blocks = Math.ceil(count / block);
      const cut = (x: Tensor): Tensor => {
        const flat = reshape(x, [count]) as Tensor;
        return reshape(blocks * block === count ? flat : pad(flat, [0], [blocks * block - count]), [blocks, block]);
      };
      const joined = (x: Tensor): Tensor => {
        const flat = reshape(x, [blocks * block]) as Tensor;
        return reshape(blocks * block === count ? flat : slice(flat, { starts: [0], ends: [count] }), p.shape);
      };
      const coded = cast(slots['m']!, 'f32');
      const m = mul(mul(mul(coded, abs(coded)), 1 / 127 ** 2), slots['m_scale']!) as Tensor;
      const root = square(mul(cast(slots['v']!, 'f32'), 1 / 255));
      const v = mul(square(root), slots['v_scale']!) as Tensor;
      const after = whole.update(cut(g), cut(p), { m, v }, at);
      const [m_scale, v_scale] = [blockMax(abs(after.slots['m']!)), blockMax(after.slots['v']!)];
      const m_share = div(after.slots['m']!, orOne(m_scale)) as Tensor;
      const v_share = div(after.slots['v']!, orOne(v_scale)) as Tensor;
      return {
        param: joined(after.param),
        slots: {
          m: cast(mul(sign(m_share), round(mul(sqrt(abs(m_share)), 127))), 'i8'),
          m_scale,
          v: cast(ceil(mul(sqrt(sqrt(maximum(v_share, 0))), 255)), 'u8'),
          v_scale,
        },
      };
    },
  };
}

const blockMax = (x: Tensor): Tensor => max(x, { axes: 1, keepdims: true });
/** Where a block is all 0, anything will do. */
const orOne = (x: Tensor): Tensor => where(greater(x, 0), x, full([], 1)) as Tensor;

function elements(shape: Shape): number {
  return shape.reduce<number>((product, size) => product * (size as number), 1);
}
