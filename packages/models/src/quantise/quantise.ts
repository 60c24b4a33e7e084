/**
 * Weights in 8 or 4 bits: which parameters of a model are quantised, and how. The graph decides: a matrix that products are summed along
 * one axis of is quantised by that axis; a table that ids look up is left as it is unless asked for.
 */
import { ConfigError } from '../errors.ts';
import type { ConfigKeys } from '../config.ts';
import type { Packing } from './packing.ts';
import type { Use } from './uses.ts';

/** The options of `quantize`. */
export interface QuantizeOptions {
  /** Bits of a weight. 8: one scale for each output. 4: one scale for each `group_size` weights of an output. */
  readonly bits: 8 | 4;
  /** With 4 bits: how many weights share a scale; an even number. Matrices whose sums are no multiple of it long are kept in 8 bits. Default: 32. */
  readonly group_size?: number;
  /** Only parameters whose names this matches. Default: all. */
  readonly include?: RegExp;
  /** No parameters whose names this matches. Default: none. */
  readonly exclude?: RegExp;
  /** Also tables that ids look up, and with them a head that shares its weights with one; always in 8 bits. Default: no. */
  readonly embeddings?: boolean;
}

/** How each parameter that is quantised is kept, by name. @throws ConfigError for options that make no sense, or that match nothing */
export function packingsFor(
  parameters: ReadonlyMap<string, { readonly shape: readonly number[] }>,
  uses: ReadonlyMap<string, Use>,
  { bits, group_size = 32, include, exclude, embeddings = false }: QuantizeOptions,
): Map<string, Packing> {
  if (bits !== 8 && bits !== 4) throw new ConfigError(`quantize: bits is ${String(bits)}; it must be 8 or 4`);
  if (!Number.isInteger(group_size) || group_size < 2 || group_size % 2 !== 0)
    throw new ConfigError(`quantize: group_size is ${group_size}; it must be an even number from 2 on`);
  const packings = new Map<string, Packing>();
  for (const [name, { shape }] of parameters) {
    const inner = innerAxis(shape, uses.get(name));
    const isTable = uses.get(name)?.isTable ?? false;
    if (inner === undefined || (isTable && !embeddings)) continue;
    if ((include && !matches(include, name)) || (exclude && matches(exclude, name))) continue;
    const isFine = bits === 4 && !isTable && shape[inner]! % group_size === 0;
    packings.set(name, isFine ? { kind: 'int4', inner, group_size } : { kind: 'int8', inner });
  }
  if (packings.size > 0) return packings;
  const some = [...parameters.keys()].slice(0, 4).join(', ');
  throw new ConfigError(
    `quantize: no matrix is left to quantise; the parameters are ${some}, …; check include and exclude`,
  );
}

/** What `config.json` says of a quantised model, as `quantization_config`. */
export interface QuantizationConfig {
  readonly quant_method: 'sinter';
  readonly bits: 8 | 4;
  readonly group_size?: number;
}

/** What `config.json` says of a model that is quantised so. */
export function quantizationOf({ bits, group_size = 32 }: QuantizeOptions): QuantizationConfig {
  return { quant_method: 'sinter', bits, ...(bits === 4 && { group_size }) };
}

/**
 * How a quantised checkpoint keeps a parameter: by the tensors that it has of it. Nothing for a checkpoint that is not quantised.
 * @throws ConfigError for one that another library quantised
 */
export function storedPackings(
  config: ConfigKeys,
  uses: () => ReadonlyMap<string, Use>,
): ((name: string, parts: (ending: string) => readonly number[] | undefined) => Packing | undefined) | undefined {
  const said = config['quantization_config'] as { readonly quant_method?: unknown } | null | undefined;
  if (said === undefined || said === null) return undefined;
  if (said.quant_method !== 'sinter')
    throw new ConfigError(
      `the weights are quantised by ${JSON.stringify(said.quant_method ?? 'an unknown method')}, which is not read; take the model that they were made of, and quantise it here: model.quantize({ bits: 8 })`,
    );
  const known = uses();
  return (name, parts) => {
    const scale = parts('_scale');
    if (!scale) return undefined;
    const inner = known.get(name)?.inner.has(0) ? 0 : 1;
    const bytes = parts('_packed');
    return bytes ? { kind: 'int4', inner, group_size: (2 * bytes[0]!) / scale[0]! } : { kind: 'int8', inner };
  };
}

/** The axis of a matrix along which everything sums that reads it. */
function innerAxis(shape: readonly number[], use: Use | undefined): 0 | 1 | undefined {
  if (shape.length !== 2 || !use || use.isOther || use.inner.size > 1) return undefined;
  const [axis = 1] = use.inner;
  return axis === 0 ? 0 : 1;
}

/** Without the state that expressions with the flag g have. */
function matches(pattern: RegExp, name: string): boolean {
  return name.search(pattern) >= 0;
}
