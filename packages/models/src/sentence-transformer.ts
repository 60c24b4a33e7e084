/**
 * Embeddings of sentences (Reimers and Gurevych 2019): a model whose output is one vector for each text, so that texts that mean alike have vectors that are
 * alike. Folders are those of the Python package sentence-transformers: a model, and `modules.json`, which says how its states become a vector.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cast, div, expandDims, full, max, maximum, mul, sqrt, square, sum, where } from '@sinter/ir';
import type { Shape, Tensor } from '@sinter/ir';
import type { Architecture, ModelInputs } from './architecture.ts';
import { resolveModel } from './checkpoint/hub.ts';
import { writeWhole } from './checkpoint/whole-file.ts';
import type { ConfigKeys, ModelConfig } from './config.ts';
import { readConfig } from './config.ts';
import { ConfigError } from './errors.ts';
import { leastF32 } from './layers/attention.ts';
import { firstState } from './layers/states.ts';
import { PreTrainedModel, splitOptions } from './model.ts';
import type { FromPretrainedModelOptions } from './model.ts';
import type { BaseModelOutput } from './outputs.ts';
import { AutoModel } from './registry.ts';
import type { AutoOptions } from './registry.ts';

/** How the states of tokens become one: their mean, the first token's, or the largest of each number. */
export type PoolingMode = 'mean' | 'cls' | 'max';

/** The options of {@link SentenceTransformer}. */
export interface SentenceOptions {
  /** Default: what the folder says, or `'mean'`. */
  readonly pooling?: PoolingMode | undefined;
  /** Whether vectors have length 1. Default: what the folder says, or yes. */
  readonly normalize?: boolean | undefined;
}

/** What a {@link SentenceTransformer} gives. */
export type SentenceEmbeddingOutput = BaseModelOutput & {
  /** `[batch, size]`. */
  readonly sentence_embedding: Tensor;
};

/** A model of any family without a head, and what makes one vector of its states. */
export class SentenceTransformer extends PreTrainedModel<ModelConfig, SentenceEmbeddingOutput> {
  /** How states become one. */
  readonly pooling: PoolingMode;
  /** Whether vectors have length 1. */
  readonly normalize: boolean;

  /** Uses the model as it is, with its weights. @throws ConfigError if it gives no states of tokens */
  constructor(base: PreTrainedModel<ModelConfig, BaseModelOutput>, options: SentenceOptions = {}) {
    const { pooling = 'mean', normalize = true } = options;
    super(
      withSentences(base.architecture, pooling, normalize),
      base.config,
      base.parameters,
      base.loading,
      base.packed,
    );
    this.pooling = pooling;
    this.normalize = normalize;
  }

  /**
   * The model in a folder, or with an id on the hub: one of sentence-transformers, or any that has no head.
   * @throws CheckpointError; ConfigError for modules that are not supported
   */
  static async from_pretrained(
    folderOrId: string,
    options: SentenceOptions & AutoOptions = {},
  ): Promise<SentenceTransformer> {
    const { pooling, normalize, ...rest } = options;
    const { where } = splitOptions(rest as FromPretrainedModelOptions & ConfigKeys);
    const { folder, files } = await resolveModel(folderOrId, {
      ...where,
      files: ['config.json'],
      optional_files: [modulesName, poolingName],
    });
    const modules = files[modulesName] === undefined ? [] : await readModules(files[modulesName], folder);
    const said = files[poolingName] === undefined ? undefined : modeOf(await readConfig(files[poolingName]), folder);
    const model = await AutoModel.from_pretrained(folderOrId, rest);
    return new SentenceTransformer(model as PreTrainedModel<ModelConfig, BaseModelOutput>, {
      pooling: pooling ?? said,
      normalize: normalize ?? (modules.length === 0 || modules.includes('Normalize')),
    });
  }

  /** Writes the model, and how its states become a vector, as Python's package reads them. */
  override async save_pretrained(folder: string): Promise<void> {
    await super.save_pretrained(folder);
    await mkdir(join(folder, '1_Pooling'), { recursive: true });
    const kinds = ['Transformer', 'Pooling', ...(this.normalize ? ['Normalize'] : [])];
    const modules = kinds.map((kind, idx) => ({
      idx,
      name: String(idx),
      path: idx === 0 ? '' : `${idx}_${kind}`,
      type: `sentence_transformers.models.${kind}`,
    }));
    const size = this.config['hidden_size'] ?? this.config['dim'];
    const modes = Object.entries(modeKeys).map(([mode, key]) => [key, mode === this.pooling]);
    await writeWhole(join(folder, modulesName), text(modules));
    await writeWhole(join(folder, poolingName), text({ word_embedding_dimension: size, ...Object.fromEntries(modes) }));
  }
}

// ---- the computation

function withSentences(
  base: Architecture<ModelConfig, BaseModelOutput>,
  pooling: PoolingMode,
  normalize: boolean,
): Architecture<ModelConfig, SentenceEmbeddingOutput> {
  return {
    ...base,
    build(scope, config, inputs, options) {
      const outputs = base.build(scope, config, inputs, options);
      const pooled = pool(outputs.last_hidden_state, inputs, pooling);
      return { sentence_embedding: normalize ? toLengthOne(pooled) : pooled, ...outputs };
    },
  };
}

function pool(states: Tensor, inputs: ModelInputs, pooling: PoolingMode): Tensor {
  const mask = inputs['attention_mask'] ?? full(states.shape.slice(0, 2), 1, 'i32');
  const counts = expandDims(cast(mask as Tensor<Shape, 'i32'>, 'f32') as Tensor, 2);
  switch (pooling) {
    case 'mean':
      return div(sum(mul(states, counts) as Tensor, { axes: 1 }), maximum(sum(counts, { axes: 1 }), 1e-9)) as Tensor;
    case 'cls':
      return firstState(states);
    case 'max':
      return max(where(cast(counts, 'bool') as Tensor<Shape, 'bool'>, states, full([], leastF32)) as Tensor, {
        axes: 1,
      });
    default:
      throw new ConfigError(`the pooling is '${String(pooling satisfies never)}'; it may be mean, cls and max`);
  }
}

function toLengthOne(x: Tensor): Tensor {
  return div(x, maximum(sqrt(sum(square(x), { axes: -1, keepdims: true })), 1e-12)) as Tensor;
}

// ---- the files

const modulesName = 'modules.json';
const poolingName = '1_Pooling/config.json';
const modeKeys = {
  cls: 'pooling_mode_cls_token',
  mean: 'pooling_mode_mean_tokens',
  max: 'pooling_mode_max_tokens',
} as const;

/** What kinds of modules there are: `Transformer`, `Pooling` and perhaps `Normalize`, in this order. */
async function readModules(path: string, where: string): Promise<string[]> {
  const modules = JSON.parse(await readFile(path, 'utf8')) as readonly { readonly type: string }[];
  const kinds = modules.map(({ type }) => type.split('.').at(-1)!);
  if (/^Transformer(,Pooling(,Normalize)?)?$/.test(kinds.join())) return kinds;
  throw new ConfigError(
    `the modules of '${where}' are ${kinds.join(', ')}; supported are Transformer, Pooling and Normalize, in this order`,
  );
}

function modeOf(config: ConfigKeys, where: string): PoolingMode {
  const set = Object.keys(config).filter((key) => key.startsWith('pooling_mode_') && config[key] === true);
  const mode = Object.entries(modeKeys).find(([, key]) => set.length === 1 && set[0] === key)?.[0];
  if (mode !== undefined) return mode as PoolingMode;
  throw new ConfigError(
    `the pooling of '${where}' is ${set.join(' and ') || 'none'}; supported is one of ${Object.values(modeKeys).join(', ')}`,
  );
}

function text(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
