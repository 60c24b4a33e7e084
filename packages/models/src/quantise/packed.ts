/** Parameters that are kept otherwise than as 32-bit floats, and models that do not notice. */
import { sameShape, ShapeError, showShape } from '@sinter/ir';
import type { Tensor } from '@sinter/ir';
import { floatReader } from '../checkpoint/stored-tensor.ts';
import type { Architecture, ModelOutputs } from '../architecture.ts';
import type { ModelConfig } from '../config.ts';
import type { Scope } from '../scope.ts';
import type { Weight } from '../weights.ts';
import { packed, unpacked } from './packing.ts';
import type { HostTensor, Packing } from './packing.ts';

/** A parameter that is kept in fewer bits. */
export interface PackedWeight {
  readonly packing: Packing;
  /** The shape of the parameter. */
  readonly shape: readonly number[];
  /** What it is made of, by the names of the states: the parameter's own, with `_scale`, `_packed`. */
  readonly tensors: ReadonlyMap<string, HostTensor>;
}

/** Whether a parameter is kept as floating-point numbers of 16 bits. */
export function isFloat(weight: PackedWeight | undefined): boolean {
  return weight?.packing.kind === 'float16' || weight?.packing.kind === 'bfloat16';
}

/** A parameter, so far of 32 or 16 bits, in fewer. */
export function packedWeight(name: string, packing: Packing, weight: Weight | PackedWeight): PackedWeight {
  const { shape } = weight;
  const data = 'data' in weight ? weight.data : floats(weight.tensors.get(name)!);
  return { packing, shape, tensors: packed(packing, name, data, shape) };
}

function floats({ dtype, data }: HostTensor): Float32Array {
  const out = new Float32Array(data.length);
  floatReader(dtype)!(data, out, 0);
  return out;
}

/** An architecture whose parameters are computed from what is kept of them, where they are packed. */
export function packedArchitecture<C extends ModelConfig, O extends ModelOutputs>(
  architecture: Architecture<C, O>,
  weights: ReadonlyMap<string, PackedWeight>,
): Architecture<C, O> {
  if (weights.size === 0) return architecture;
  const { build, encode, decode } = architecture;
  return {
    ...architecture,
    build: (scope, ...rest) => build(packedScope(scope, weights), ...rest),
    ...(encode && { encode: (scope, ...rest) => encode(packedScope(scope, weights), ...rest) }),
    ...(decode && { decode: (scope, ...rest) => decode(packedScope(scope, weights), ...rest) }),
  };
}

/** Scopes that give packed parameters; around a model that has its own, the outermost decides. */
const packedScopes = new WeakSet<Scope>();

/** A scope that gives packed parameters as expressions of their states. */
function packedScope(root: Scope, weights: ReadonlyMap<string, PackedWeight>): Scope {
  if (packedScopes.has(root)) return root;
  const made = new Map<string, Tensor>();
  const over = (scope: Scope): Scope => {
    const own: Scope = {
      ...scope,
      at: (...names) => over(scope.at(...names)),
      param(name, shape, init) {
        const full = scope.path === '' ? name : `${scope.path}.${name}`;
        const weight = weights.get(full);
        if (!weight) return scope.param(name, shape, init);
        if (!sameShape(weight.shape, shape))
          throw new ShapeError(
            `the parameter '${full}' is ${showShape(weight.shape)} and is asked for as ${showShape(shape)}`,
          );
        if (!made.has(full)) made.set(full, unpacked(weight.packing, full, weight.shape));
        return made.get(full) as ReturnType<typeof scope.param<typeof shape>>;
      },
    };
    packedScopes.add(own);
    return own;
  };
  return over(root);
}
