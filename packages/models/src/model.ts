/**
 * A model as users hold it: a configuration, weights on the host, and a function that builds the computation. What a family
 * has to say for that is an {@link Architecture}; {@link modelClass} makes `from_pretrained` and `from_config` out of it.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { compile } from '@sinter/compiler';
import type { Backend, Cache, CompileOptions } from '@sinter/compiler';
import { diskCache } from '@sinter/compiler/cache';
import { graph as closeGraph, input, ShapeError, showShape, Tensor } from '@sinter/ir';
import type { Graph, TensorData, Tensors } from '@sinter/ir';
import type { Architecture, InputSpec, ModelOutputs, OutputOptions } from './architecture.ts';
import { resolveModel } from './checkpoint/hub.ts';
import type { ResolveOptions } from './checkpoint/hub.ts';
import { writeSafetensors } from './checkpoint/safetensors.ts';
import { openWeights, weightsName } from './checkpoint/weights.ts';
import { writeWhole } from './checkpoint/whole-file.ts';
import { compiledModel } from './compiled.ts';
import type { CompiledModel, ModelData } from './compiled.ts';
import { configText, readConfig } from './config.ts';
import type { GenerationConfig } from './generation/config.ts';
import {
  generationConfigName,
  generationConfigText,
  generationFromConfig,
  readGenerationConfig,
} from './generation/config-file.ts';
import type { GenerateOutput } from './generation/generate.ts';
import { freeWriters, generateWith, streamWith } from './generation/of-model.ts';
import type { ModelGenerateOptions, StreamOptions } from './generation/of-model.ts';
import type { ConfigKeys, ConfigOverrides, ModelConfig } from './config.ts';
import { scope } from './scope.ts';
import type { Parameter, Scope } from './scope.ts';
import { initialWeights, loadWeights, reportText } from './weights.ts';
import type { LoadReport, LoadWeightsOptions, Weight } from './weights.ts';

/** The options of `build`. */
export interface BuildOptions extends OutputOptions {
  /** Given: a graph for training; dropout is drawn from this key, `u32[2]` (seed, step). */
  readonly key?: Tensor | undefined;
  /** With `key`: layers are computed again in the backward pass, and what they compute is not kept. Default: no. */
  readonly gradient_checkpointing?: boolean | undefined;
}

/** The options of {@link PreTrainedModel.graph}. */
export interface GraphOptions extends BuildOptions {
  /** The outputs to keep, e.g. `['logits']`; of a list, `hidden_states.0`. Default: all. */
  readonly outputs?: readonly string[] | undefined;
  /** The inputs to build it with. Default: all but labels. */
  readonly inputs?: readonly string[] | undefined;
}

/** The options of {@link PreTrainedModel.compile}. */
export type CompileModelOptions = Omit<GraphOptions, 'key' | 'gradient_checkpointing'> &
  Pick<CompileOptions, 'dims' | 'trace' | 'fuse'> & {
    /** Where compiled programs are kept; `false`: nowhere. Default: `diskCache()` of `@sinter/compiler/cache`, in the user's cache folder. */
    readonly cache?: Cache | false | undefined;
  };

/** A model with weights. Made by `from_pretrained` or `from_config` of its class. */
export class PreTrainedModel<C extends ModelConfig = ModelConfig, O extends ModelOutputs = ModelOutputs> {
  /** The keys of `config.json`. */
  readonly config: C;
  /** The weights on the host, by the names of the checkpoint. */
  readonly parameters: Map<string, Weight>;
  /** The inputs by name, with labels if there can be a loss. */
  readonly inputs: Readonly<Record<string, InputSpec>>;
  /** The most that each run-time size may be: `{ seq: 512 }`. */
  readonly dims: Readonly<Record<string, number>>;
  /** How the checkpoint fitted; all parameters are missing in one if there was none. */
  readonly loading: LoadReport;
  /** The model's class. */
  readonly architecture: Architecture<C, O>;
  /** How {@link PreTrainedModel.generate} writes where its caller says nothing: `generation_config.json`, or what `config.json` says of it. */
  generation_config: GenerationConfig;

  constructor(architecture: Architecture<C, O>, config: C, parameters: Map<string, Weight>, loading?: LoadReport) {
    this.architecture = architecture;
    this.config = config;
    this.parameters = parameters;
    this.inputs = architecture.inputs(config);
    this.dims = architecture.dims(config);
    this.generation_config = generationFromConfig(config);
    this.loading = loading ?? { missing: [...parameters.keys()], unexpected: [], mismatched: [] };
  }

  /** How many numbers the weights are. */
  num_parameters(): number {
    return [...this.parameters.values()].reduce((sum, { data }) => sum + data.length, 0);
  }

  /**
   * Builds the computation on the given tensors; what is left out has its usual value, and there is a loss where there are labels.
   * A parameter appears as the state of its name.
   * @throws ShapeError for unknown names, and where shapes or dtypes do not fit, saying where in the model
   */
  build(inputs: Tensors, options: BuildOptions = {}): O {
    const { key, gradient_checkpointing, ...output } = options;
    const root = scope({ training: key && { key, gradient_checkpointing } });
    return buildChecked(this.architecture, this.config, inputs, root, output);
  }

  /** The computation as a graph with symbolic inputs: ready to print, evaluate or compile. @throws ShapeError for unknown names */
  graph(options: GraphOptions = {}): Graph {
    const told = Object.keys(this.inputs).filter((name) => !this.inputs[name]!.label);
    const { inputs = told, outputs, ...build } = options;
    const built = flat(this.build(symbols(this.inputs, inputs), build));
    const kept = outputs ?? Object.keys(built);
    const unknown = kept.find((name) => !(name in built));
    if (unknown !== undefined)
      throw new ShapeError(
        `${this.architecture.name} has no output '${unknown}'; with these inputs it has ${Object.keys(built).join(', ')}`,
      );
    return closeGraph(this.architecture.name, {
      outputs: Object.fromEntries(kept.map((name) => [name, built[name]!])),
    });
  }

  /**
   * Compiles the model for inference and hands it the weights. One program serves every batch size, and every length up to
   * the model's own limit, unless `dims` fixes or bounds them: `{ dims: { batch: 8 } }`.
   */
  async compile(backend: Backend, options: CompileModelOptions = {}): Promise<CompiledModel> {
    const { dims, trace, fuse, cache = diskCache(), ...rest } = options;
    const limits = Object.fromEntries(Object.entries(this.dims).map(([name, max]) => [name, { max }]));
    const program = await compile(this.graph(rest), backend, {
      dims: { ...limits, ...dims },
      ...(cache && { cache }),
      ...defined({ trace, fuse }),
    });
    try {
      for (const name of Object.keys(program.state.ports)) {
        const weight = this.parameters.get(name);
        if (!weight)
          throw new ShapeError(
            `${this.architecture.name} reads the parameter '${name}', which its weights lack; put it into parameters`,
          );
        await program.state.write(name, weight.data);
      }
    } catch (error) {
      program.close();
      throw error;
    }
    return compiledModel(program, this.inputs, this.dims);
  }

  /**
   * Writes texts: greedily, by draws or with beams, batched. Prompts of different lengths are padded on the left, with an `attention_mask`. Gives
   * `i32 [texts, length]`: the prompts with what follows, or, where there is an encoder, the decoder's tokens. Programs and caches are kept for the next
   * call, and grow with what is asked; {@link PreTrainedModel.free} frees them.
   * @throws ConfigError for a model that does not write; InputError for inputs and options that make no sense
   */
  generate(
    inputs: ModelData,
    options: ModelGenerateOptions & { readonly return_dict_in_generate: true },
  ): Promise<GenerateOutput>;
  /** Gives the tokens alone. */
  generate(
    inputs: ModelData,
    options?: ModelGenerateOptions & { readonly return_dict_in_generate?: false },
  ): Promise<TensorData>;
  async generate(inputs: ModelData, options: ModelGenerateOptions = {}): Promise<GenerateOutput | TensorData> {
    const output = await generateWith(this, inputs, options);
    return options.return_dict_in_generate ? output : output.sequences;
  }

  /**
   * Writes one text, and gives what is new of it as soon as its characters are whole: `for await (const text of model.stream(…))`. Leaving the loop
   * ends the writing. @throws ConfigError, InputError
   */
  stream(inputs: ModelData, options: StreamOptions): AsyncGenerator<string, void> {
    return streamWith(this, inputs, options);
  }

  /** Frees the programs and caches of {@link PreTrainedModel.generate}, once it is done; the weights stay. */
  free(): Promise<void> {
    return freeWriters(this);
  }

  /** As {@link PreTrainedModel.free}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.free();
  }

  /** Writes `config.json` and `model.safetensors`, as Python's library reads them; each is the old file or the whole new one at any moment. */
  async save_pretrained(folder: string): Promise<void> {
    await mkdir(folder, { recursive: true });
    await writeSafetensors(join(folder, weightsName), Object.fromEntries(this.parameters));
    await writeWhole(join(folder, 'config.json'), configText(this.config, this.architecture.name));
    const { generation_config: generation, config } = this;
    if (this.architecture.decode)
      await writeWhole(join(folder, generationConfigName), generationConfigText(generation, config));
  }
}

/** The options of `from_pretrained` that are no keys of the configuration. */
export interface FromPretrainedModelOptions
  extends
    Omit<ResolveOptions, 'files' | 'optional_files'>,
    Pick<LoadWeightsOptions, 'seed' | 'ignore_mismatched_sizes' | 'strict'> {
  /** Told, in the words of Python's library, what is newly initialised and what is not used. Default: `console.warn`. */
  readonly on_notice?: (text: string) => void;
}

/** A class of models: what `BertModel` and the like are. */
export interface ModelClass<C extends ModelConfig, O extends ModelOutputs> {
  readonly architecture: Architecture<C, O>;
  /**
   * The model in a folder, or with an id on the hub. Further options replace keys of its configuration: `num_labels`, dropout, …
   * @throws CheckpointError, ConfigError
   */
  from_pretrained(
    folderOrId: string,
    options?: FromPretrainedModelOptions & ConfigOverrides<C>,
  ): Promise<PreTrainedModel<C, O>>;
  /** A model of its own, with first values that only `seed` (0) and the names decide. @throws ConfigError */
  from_config(config?: ConfigOverrides<C>, options?: { readonly seed?: number }): PreTrainedModel<C, O>;
}

/** Makes the class of an architecture. */
export function modelClass<C extends ModelConfig, O extends ModelOutputs>(
  architecture: Architecture<C, O>,
): ModelClass<C, O> {
  return {
    architecture,
    async from_pretrained(folderOrId, options = {}) {
      const { where, load, overrides } = splitOptions(options);
      const { folder } = await resolveModel(folderOrId, {
        ...where,
        files: ['config.json', weightsName],
        optional_files: architecture.decode ? [generationConfigName] : [],
      });
      const config = architecture.config(await readConfig(join(folder, 'config.json')), overrides);
      const { name: model, base_model_prefix, not_parameters } = architecture;
      const file = await openWeights(folder);
      try {
        const { weights, report } = await loadWeights(declared(architecture, config), file, {
          ...load,
          model,
          base_model_prefix,
          not_parameters,
        });
        const notice = reportText(report, model, folderOrId);
        if (notice !== '') (load.on_notice ?? console.warn)(notice);
        const loaded = new PreTrainedModel(architecture, config, weights, report);
        if (architecture.decode)
          loaded.generation_config = (await readGenerationConfig(folder)) ?? loaded.generation_config;
        return loaded;
      } finally {
        await file.close();
      }
    },
    from_config(keys = {}, { seed = 0 } = {}) {
      const config = architecture.config(keys);
      return new PreTrainedModel(architecture, config, initialWeights(declared(architecture, config), seed));
    },
  };
}

/** Tells the options of a search from those of loading, and both from keys of the configuration. */
export function splitOptions(options: FromPretrainedModelOptions & ConfigKeys): {
  readonly where: ResolveOptions;
  readonly load: Pick<FromPretrainedModelOptions, 'seed' | 'ignore_mismatched_sizes' | 'strict' | 'on_notice'>;
  readonly overrides: ConfigKeys;
} {
  const {
    revision,
    refresh,
    signal,
    onProgress,
    cache_dir,
    endpoint,
    token,
    local_files_only,
    symlinks,
    seed,
    ignore_mismatched_sizes,
    strict,
    on_notice,
    ...overrides
  } = options;
  return {
    where: defined({ revision, refresh, signal, onProgress, cache_dir, endpoint, token, local_files_only, symlinks }),
    load: defined({ seed, ignore_mismatched_sizes, strict, on_notice }),
    overrides,
  };
}

/** The parameters of a model, found by building it once. */
function declared<C extends ModelConfig, O extends ModelOutputs>(
  architecture: Architecture<C, O>,
  config: C,
): ReadonlyMap<string, Parameter> {
  const root = scope();
  const specs = architecture.inputs(config);
  architecture.build(root, config, symbols(specs, Object.keys(specs)), {});
  return root.parameters();
}

function buildChecked<C extends ModelConfig, O extends ModelOutputs>(
  architecture: Architecture<C, O>,
  config: C,
  inputs: Tensors,
  root: Scope,
  options: OutputOptions,
): O {
  const specs = architecture.inputs(config);
  for (const [name, tensor] of Object.entries(inputs)) {
    const spec = specs[name];
    if (!spec) throw unknownInput(name, specs);
    if (tensor.shape.length !== spec.shape.length || tensor.dtype !== spec.dtype)
      throw new ShapeError(
        `the input '${name}' of ${architecture.name} is ${spec.dtype}${showShape(spec.shape)}, got ${String(tensor)}`,
      );
  }
  return architecture.build(root, config, inputs, options);
}

function symbols(specs: Readonly<Record<string, InputSpec>>, names: readonly string[]): Tensors {
  return Object.fromEntries(
    names.map((name) => {
      const spec = specs[name];
      if (!spec) throw unknownInput(name, specs);
      return [name, input(name, spec.shape, spec.dtype)];
    }),
  );
}

function unknownInput(name: string, specs: Readonly<Record<string, InputSpec>>): ShapeError {
  return new ShapeError(`there is no input '${name}'; the inputs are ${Object.keys(specs).join(', ')}`);
}

/** `hidden_states: [a, b]` as `hidden_states.0`, `hidden_states.1`. */
function flat(outputs: ModelOutputs): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(outputs).flatMap(([name, value]) => {
      if (value === undefined) return [];
      return value instanceof Tensor ? [[name, value]] : value.map((tensor, i) => [`${name}.${i}`, tensor]);
    }),
  );
}

function defined<T extends object>(options: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as ReturnType<
    typeof defined<T>
  >;
}
