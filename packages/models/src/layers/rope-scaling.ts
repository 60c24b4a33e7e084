/**
 * How fast rotary positions turn, and the ways in which `rope_scaling` slows them down so that a model reads longer texts than it was trained
 * on. Plain numbers; `rotary.ts` turns states by them. Source: `modeling_rope_utils` of Hugging Face's transformers.
 */
import { ConfigError } from '../errors.ts';

/** `rope_scaling` of a `config.json`. Which keys there are depends on the first. */
export interface RopeScaling {
  /** `default`, `linear`, `dynamic`, `yarn`, `longrope` or `llama3`. Older files call it `type`. */
  readonly rope_type?: string;
  readonly [key: string]: unknown;
}

/** What rotary positions depend on. */
export interface RopeOptions {
  /** The size of a head, even. */
  readonly size: number;
  /** The base of the frequencies. */
  readonly theta: number;
  /** `max_position_embeddings`. */
  readonly positions: number;
  /** `null`: as `default`. */
  readonly scaling: RopeScaling | null;
  /** `original_max_position_embeddings` beside `rope_scaling`, where a configuration has it. */
  readonly original?: number | undefined;
}

/** How rotary positions turn. */
export interface Rope {
  /** Radians for each position, one number for each pair of elements of a head. */
  readonly frequencies: readonly number[];
  /** What sines and cosines are multiplied by. */
  readonly magnitude: number;
  /** Of `dynamic`: in texts of more than `from` tokens, frequencies fall further with each token. */
  readonly grow?: { readonly factor: number; readonly from: number };
}

/** How many tokens a model may read: `dynamic` names what it was trained on, the others what it can read. */
export function ropeLimit({ positions, scaling }: Pick<RopeOptions, 'positions' | 'scaling'>): number {
  return typeOf(scaling) === 'dynamic' ? Math.floor(positions * reader(scaling!)('factor')) : positions;
}

/** The frequencies of a configuration. @throws ConfigError for a type nobody knows, and for keys that a type lacks */
export function rope(options: RopeOptions): Rope {
  const { size, theta, scaling } = options;
  if (size % 2 !== 0)
    throw new ConfigError(`rotary positions turn pairs: the size of a head is ${size}, it must be even`);
  const type = typeOf(scaling);
  const make = Object.hasOwn(types, type) ? types[type] : undefined;
  if (!make)
    throw new ConfigError(
      `the type ${JSON.stringify(type)} of "rope_scaling" is not known; known: ${Object.keys(types).join(', ')}`,
    );
  const frequencies = Array.from({ length: size / 2 }, (_, i) => theta ** ((-2 * i) / size));
  return make(frequencies, { ...options, get: reader(scaling ?? {}) });
}

type Given = RopeOptions & { readonly get: ReturnType<typeof reader> };

const types: Readonly<Record<string, (frequencies: readonly number[], given: Given) => Rope>> = {
  default: (frequencies) => ({ frequencies, magnitude: 1 }),

  /** Positions stand closer (Chen et al. 2023). */
  linear: (frequencies, { get }) => ({ frequencies: frequencies.map((f) => f / get('factor')), magnitude: 1 }),

  /** A larger base, the longer the text is ("NTK-aware" scaling). */
  dynamic: (frequencies, { get, positions }) => ({
    frequencies,
    magnitude: 1,
    grow: { factor: get('factor'), from: positions },
  }),

  /** What turns often stays, what turns seldom stands closer (Peng et al. 2023). */
  yarn(frequencies, { get, size, theta, positions }) {
    const factor = get('factor');
    /** Which pair turns so many times in a text. */
    const pairOf = (turns: number): number =>
      (size * Math.log(positions / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
    const low = Math.max(Math.floor(pairOf(get('beta_fast', 32))), 0);
    const end = Math.min(Math.ceil(pairOf(get('beta_slow', 1))), size - 1);
    const high = end === low ? low + 0.001 : end;
    return {
      frequencies: frequencies.map((f, i) => mix(f, f / factor, clamp((i - low) / (high - low)))),
      magnitude: get('attention_factor', 0.1 * Math.log(factor) + 1),
    };
  },

  /** A factor for each pair, found by search (Ding et al. 2024). */
  longrope(frequencies, { get, positions, original, scaling }) {
    const factor = original === undefined ? get('factor') : positions / original;
    const key = factor > 1 ? 'long_factor' : 'short_factor';
    const factors = scaling?.[key];
    if (!Array.isArray(factors) || factors.length !== frequencies.length || factors.some((f) => typeof f !== 'number'))
      throw new ConfigError(`"${key}" of "rope_scaling" must be a list of ${frequencies.length} numbers`);
    const usual = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original ?? positions));
    return {
      frequencies: frequencies.map((f, i) => f / (factors as number[])[i]!),
      magnitude: get('attention_factor', usual),
    };
  },

  /** As `yarn`, by the length of waves (Llama 3.1). */
  llama3(frequencies, { get }) {
    const [low, high] = [get('low_freq_factor'), get('high_freq_factor')];
    const [factor, original] = [get('factor'), get('original_max_position_embeddings')];
    return {
      frequencies: frequencies.map((f) => {
        const turns = (original * f) / (2 * Math.PI);
        return mix(f / factor, f, clamp((turns - low) / (high - low)));
      }),
      magnitude: 1,
    };
  },
};

function typeOf(scaling: RopeScaling | null): string {
  return scaling?.rope_type ?? (scaling?.['type'] as string | undefined) ?? 'default';
}

/** Reads the numbers of a `rope_scaling`. */
function reader(scaling: RopeScaling): (key: string, usual?: number) => number {
  return (key, usual) => {
    const value = scaling[key] ?? usual;
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    throw new ConfigError(
      `"${key}" of "rope_scaling" is ${JSON.stringify(value)}; "${typeOf(scaling)}" wants a number there`,
    );
  };
}

function mix(a: number, b: number, share: number): number {
  return a * (1 - share) + b * share;
}

function clamp(x: number): number {
  return Math.min(Math.max(x, 0), 1);
}
