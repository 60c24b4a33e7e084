/** Parameters that are kept otherwise than as 32-bit floats, and models that do not notice. */
import { sameShape, ShapeError, showShape } from '@sinter/ir';
import type { Tensor } from '@sinter/ir';
import type { Architecture, ModelOutputs } from '../architecture.ts';
import type { ModelConfig } from '../config.ts';
import type { Scope } from '../scope.ts';
import { unpacked } from './packing.ts';
import type { HostTensor, Packing } from './packing.ts';

/** A parameter that is kept in fewer bits. */
export interface PackedWeight {
  readonly packing: Packing;
  /** The shape of the parameter. */
  readonly shape: readonly number[];
  /** What it is made of, by the names of the states: the parameter's own, with `_scale`, `_packed`. */
  readonly tensors: ReadonlyMap<string, HostTensor>;
}

/** An architecture whose parameters are computed from what is kept of them, where they are packed. */
export function packedArchitecture<C extends ModelConfig, O extends ModelOutputs>(
  architecture: Architecture<C, O>,
  packed: ReadonlyMap<string, PackedWeight>,
): Architecture<C, O> {
  if (packed.size === 0) return architecture;
  const { build, encode, decode } = architecture;
  return {
    ...architecture,
    build: (scope, ...rest) => build(packedScope(scope, packed), ...rest),
    ...(encode && { encode: (scope, ...rest) => encode(packedScope(scope, packed), ...rest) }),
    ...(decode && { decode: (scope, ...rest) => decode(packedScope(scope, packed), ...rest) }),
  };
}

/** A scope that gives packed parameters as expressions of their states. */
function packedScope(root: Scope, packed: ReadonlyMap<string, PackedWeight>): Scope {
  const made = new Map<string, Tensor>();
  const over = (scope: Scope): Scope => ({
    ...scope,
    at: (...names) => over(scope.at(...names)),
    param(name, shape, init) {
      const full = scope.path === '' ? name : `${scope.path}.${name}`;
      const weight = packed.get(full);
      if (!weight) return scope.param(name, shape, init);
      if (!sameShape(weight.shape, shape))
        throw new ShapeError(
          `the parameter '${full}' is ${showShape(weight.shape)} and is asked for as ${showShape(shape)}`,
        );
      if (!made.has(full)) made.set(full, unpacked(weight.packing, full, weight.shape));
      return made.get(full) as ReturnType<typeof scope.param<typeof shape>>;
    },
  });
  return over(root);
}
