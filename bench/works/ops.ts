/** Single ops, the way a user of each engine would write them. */
import { floats } from '../harness/values.ts';
import type { Work } from '../harness/work.ts';

/** Bytes of so many floats that are read, and as many that are written. */
const through = (length: number) => ({ read: 4 * length, written: 4 * length });

/**
 * `a @ b` of two n×n matrices. Both are given anew, so that nothing can be packed before the clock starts; with `weights: true` only
 * `a` is, and `b` may be laid out as the engine likes it.
 */
export function matmul(n: number, { weights = false } = {}): Work {
  const b = floats([n, n]);
  return {
    name: weights ? `matmul ${n}³ with weights` : `matmul ${n}³`,
    place: 'cpu',
    flops: 2 * n ** 3,
    moves: { read: 8 * n * n, written: 4 * n * n },
    params: weights ? { b } : {},
    inputs: { a: floats([n, n]), ...(!weights && { b }) },
    programs: {
      sinter: ({ matmul }, t) => ({ output: matmul(t('a'), t('b')) }),
      tfjs: (tf, t) => tf.matMul(t('a'), t('b')),
      jax: ({ numpy: np }, t) => ({ output: np.matmul(t('a'), t('b')) }),
      onnx: (g, t) => g.op('MatMul', [t('a'), t('b')]),
      torch: `torch.mm(t['a'], t['b'])`,
    },
  };
}

/** Softmax over the last axis. */
export function softmax(rows: number, columns: number): Work {
  return {
    name: `softmax ${rows}×${columns}`,
    place: 'cpu',
    moves: through(rows * columns),
    instructions: 19 * rows * columns, // largest, difference, exp, sum, scale
    params: {},
    inputs: { x: floats([rows, columns], 2) },
    programs: {
      sinter: ({ softmax }, t) => ({ output: softmax(t('x')) }),
      tfjs: (tf, t) => tf.softmax(t('x')),
      jax: ({ nn }, t) => ({ output: nn.softmax(t('x'), -1) }),
      onnx: (g, t) => g.op('Softmax', [t('x')], { axis: -1 }),
      torch: `torch.softmax(t['x'], -1)`,
    },
  };
}

/** Layer normalization over the last axis, with scale and shift. */
export function layerNorm(rows: number, columns: number): Work {
  return {
    name: `layer norm ${rows}×${columns}`,
    place: 'cpu',
    moves: through(rows * columns),
    instructions: 5 * rows * columns,
    params: { scale: floats([columns], 0.1, 1), shift: floats([columns]) },
    inputs: { x: floats([rows, columns], 2) },
    programs: {
      sinter: ({ layerNorm }, t) => ({ output: layerNorm(t('x'), t('scale'), t('shift'), 1e-5) }),
      tfjs: (tf, t) => {
        const x = t('x');
        const centered = x.sub(x.mean(-1, true));
        const variance = centered.square().mean(-1, true);
        return centered.mul(variance.add(1e-5).rsqrt()).mul(t('scale')).add(t('shift'));
      },
      jax: ({ numpy: np }, t) => {
        const x = t('x');
        const centered = x.ref.sub(np.mean(x, -1, { keepdims: true }));
        const variance = np.mean(np.square(centered.ref), -1, { keepdims: true });
        const normal = centered.mul(np.reciprocal(np.sqrt(variance.add(1e-5))));
        return { output: normal.mul(t('scale')).add(t('shift')) };
      },
      onnx: (g, t) =>
        g.op('LayerNormalization', [t('x'), t('scale'), t('shift')], { axis: -1, epsilon: { float: 1e-5 } }),
      torch: `F.layer_norm(t['x'], (${columns},), t['scale'], t['shift'], 1e-5)`,
    },
  };
}

/** `gelu(x·1.5 + 0.25)` with the error function: one pass over memory where an engine can fuse it. */
export function gelu(length: number): Work {
  return {
    name: `gelu(x·a+b) ${length / 2 ** 20}M`,
    place: 'cpu',
    moves: through(length),
    instructions: 19 * length, // a multiply-add, erf, 1 + erf, two products
    params: {},
    inputs: { x: floats([length], 2) },
    programs: {
      sinter: ({ add, gelu, mul }, t) => ({ output: gelu(add(mul(t('x'), 1.5), 0.25)) }),
      tfjs: (tf, t) => {
        const y = t('x').mul(1.5).add(0.25);
        return y.mul(0.5).mul(tf.erf(y.mul(Math.SQRT1_2)).add(1));
      },
      jax: ({ nn }, t) => ({ output: nn.gelu(t('x').mul(1.5).add(0.25), { approximate: false }) }),
      onnx: (g, t) => g.op('Gelu', [g.op('Add', [g.op('Mul', [t('x'), g.scalar(1.5)]), g.scalar(0.25)])]),
      torch: `F.gelu(t['x'] * 1.5 + 0.25)`,
    },
  };
}
