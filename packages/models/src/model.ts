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
import { findModel } from './checkpoint/find-model.ts';
import type { FindOptions } from './checkpoint/find-model.ts';
import { writeWeights } from './checkpoint/shards.ts';
import { elementCount } from './checkpoint/stored-tensor.ts';
import { openWeights } from './checkpoint/weights.ts';
import { writeWhole } from './checkpoint/whole-file.ts';
import { compiledModel } from './compiled.ts';
import type { CompiledModel, ModelData } from './compiled.ts';
import { configText } from './config.ts';
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
import { ConfigError } from './errors.ts';
import { isFloat, packedArchitecture, packedWeight } from './quantise/packed.ts';
import type { PackedWeight } from './quantise/packed.ts';
import type { HostTensor } from './quantise/packing.ts';
import { packingsFor, quantizationOf, storedPackings } from './quantise/quantise.ts';
import type { QuantizeOptions } from './quantise/quantise.ts';
import { usesOf } from './quantise/uses.ts';
import { freeQuestions } from './interpret/programs.ts';
import { trace, valuesOf } from './interpret/trace.ts';
import type { Traced, TraceOptions, ValueInfo } from './interpret/trace.ts';
import { scope } from './scope.ts';
import type { Parameter, Scope, Values } from './scope.ts';
import { initialWeights, loadWeights, reportText } from './weights.ts';
import type { LoadReport, LoadWeightsOptions, Weight } from './weights.ts';

/** The options of `build`. */
export interface BuildOptions extends OutputOptions {
  /** Given: a graph for training; dropout is drawn from this key, `u32[2]` (seed, step). */
  readonly key?: Tensor | undefined;
  /** With `key`: layers are computed again in the backward pass, and what they compute is not kept. Default: no. */
  readonly gradient_checkpointing?: boolean | undefined;
  /** Filled with all that the layers make, by name; see {@link Values}. Default: nobody keeps it. */
  readonly values?: Values | undefined;
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
  /** The weights on the host, by the names of the checkpoint; those that are kept in fewer bits are in {@link PreTrainedModel.packed}. */
  readonly parameters: Map<string, Weight>;
  /** The weights that are kept in fewer than 32 bits, by the names of their parameters: none, unless asked for. */
  readonly packed: ReadonlyMap<string, PackedWeight>;
  /** The inputs by name, with labels if there can be a loss. */
  readonly inputs: Readonly<Record<string, InputSpec>>;
  /** The most that each run-time size may be: `{ seq: 512 }`. */
  readonly dims: Readonly<Record<string, number>>;
  /** How the checkpoint fitted; all parameters are missing in one if there was none. */
  readonly loading: LoadReport;
  /** The model's class; where weights are packed, it computes parameters from them. */
  readonly architecture: Architecture<C, O>;
  /** How {@link PreTrainedModel.generate} writes where its caller says nothing: `generation_config.json`, or what `config.json` says of it. */
  generation_config: GenerationConfig;

  /** The class as its family has it. */
  readonly #bare: Architecture<C, O>;

  constructor(
    architecture: Architecture<C, O>,
    config: C,
    parameters: Map<string, Weight>,
    loading?: LoadReport,
    packed: ReadonlyMap<string, PackedWeight> = new Map(),
  ) {
    this.#bare = architecture;
    this.packed = packed;
    this.architecture = packedArchitecture(architecture, packed);
    this.config = config;
    this.parameters = parameters;
    this.inputs = architecture.inputs(config);
    this.dims = architecture.dims(config);
    this.generation_config = generationFromConfig(config);
    this.loading = loading ?? { missing: [...parameters.keys()], unexpected: [], mismatched: [] };
  }

  /** How many numbers the weights are. */
  num_parameters(): number {
    const all = [...this.parameters.values(), ...this.packed.values()];
    return all.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  }

  /** All tensors that the weights are made of, by the names of the graph's states: what is saved, and what programs are given. */
  tensors(): Map<string, Weight | HostTensor> {
    const parts = [...this.packed.values()].flatMap(({ tensors }) => [...tensors]);
    return new Map<string, Weight | HostTensor>([...this.parameters, ...parts]);
  }

  /**
   * The same model with weights in 8 or 4 bits, for inference: matrices that activations are multiplied by; norms, biases and tables of embeddings
   * stay as they are. Activations are 32-bit floats. It is saved and loaded like any other.
   * @throws ConfigError for options that make no sense, or that leave nothing to quantise
   */
  quantize(options: QuantizeOptions): PreTrainedModel<C, O> {
    const { parameters: shapes, outputs } = declare(this.#bare, this.config);
    const open = new Map([...shapes].filter(([name]) => this.parameters.has(name) || isFloat(this.packed.get(name))));
    const packings = packingsFor(open, usesOf(flat(outputs)), options);
    const packed = new Map(this.packed);
    for (const [name, packing] of packings)
      packed.set(name, packedWeight(name, packing, this.parameters.get(name) ?? this.packed.get(name)!));
    const parameters = new Map([...this.parameters].filter(([name]) => !packed.has(name)));
    const config = { ...this.config, quantization_config: quantizationOf(options) };
    const made = new PreTrainedModel(this.#bare, config, parameters, this.loading, packed);
    made.generation_config = this.generation_config;
    return made;
  }

  /**
   * Builds the computation on the given tensors; what is left out has its usual value, and there is a loss where there are labels.
   * A parameter appears as the state of its name.
   * @throws ShapeError for unknown names, and where shapes or dtypes do not fit, saying where in the model; ConfigError for training a model
   * whose weights are packed
   */
  build(inputs: Tensors, options: BuildOptions = {}): O {
    const { key, gradient_checkpointing, values, ...output } = options;
    if (key && this.packed.size > 0)
      throw new ConfigError(
        `${this.architecture.name} keeps ${this.packed.size} of its weights in fewer than 32 bits, which cannot be trained; train the model that it was made of, loaded with torch_dtype: 'float32', and quantise it afterwards`,
      );
    const root = scope({ training: key && { key, gradient_checkpointing }, values });
    const built = buildChecked(this.architecture, this.config, inputs, root, output);
    root.name(built);
    return built;
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
      const tensors = this.tensors();
      for (const name of Object.keys(program.state.ports)) {
        const weight = tensors.get(name);
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

  /** All values inside of the model by name, in the order in which they are computed, with their shapes: what {@link PreTrainedModel.trace} can name. */
  values(): ValueInfo[] {
    return valuesOf(this);
  }

  /**
   * Runs the model and gives, beside its outputs, any values inside of it; values may be replaced or taken out on the way. Programs are kept for the next
   * call of the same question; {@link PreTrainedModel.free} frees them.
   * @throws InputError for names that there are not, and data that does not fit
   */
  trace(inputs: ModelData, options?: TraceOptions): Promise<Traced> {
    return trace(this, inputs, options);
  }

  /** Frees the programs and caches of {@link PreTrainedModel.generate} and {@link PreTrainedModel.trace}, once they are done; the weights stay. */
  async free(): Promise<void> {
    await freeWriters(this);
    await freeQuestions(this);
  }

  /** As {@link PreTrainedModel.free}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.free();
  }

  /**
   * Writes `config.json` and `model.safetensors`, as Python's library reads them; each is the old file or the whole new one at any moment.
   * Weights of more than `max_shard_size` (`'5GB'`) are split into several files with an index.
   * @throws CheckpointError `bad-name` for a size that is none
   */
  async save_pretrained(folder: string, options: { readonly max_shard_size?: string | number } = {}): Promise<void> {
    await mkdir(folder, { recursive: true });
    await writeWeights(folder, Object.fromEntries(this.tensors()), options.max_shard_size);
    const kept = [...this.packed.values()].map(({ packing }) => packing.kind);
    const torch_dtype = kept.find((kind) => kind === 'float16' || kind === 'bfloat16') ?? 'float32';
    await writeWhole(join(folder, 'config.json'), configText(this.config, this.architecture.name, torch_dtype));
    const { generation_config: generation, config } = this;
    if (this.architecture.decode)
      await writeWhole(join(folder, generationConfigName), generationConfigText(generation, config));
  }
}

/** The options of `from_pretrained` that are no keys of the configuration. */
export interface FromPretrainedModelOptions
  extends FindOptions, Pick<LoadWeightsOptions, 'seed' | 'ignore_mismatched_sizes' | 'strict' | 'torch_dtype'> {
  /** Told, in the words of Python's library, what is newly initialised and what is not used. Default: `console.warn`. */
  readonly on_notice?: (text: string) => void;
}

/** A class of models: what `BertModel` and the like are. */
export interface ModelClass<C extends ModelConfig, O extends ModelOutputs> {
  readonly architecture: Architecture<C, O>;
  /**
   * The model in a folder, in a `.gguf` file, or with an id on the hub. Further options replace keys of its configuration: `num_labels`, dropout, …
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
      const {
        folder,
        keys,
        weights: path,
      } = await findModel(folderOrId, where, {
        weights: true,
        optional_files: architecture.decode ? [generationConfigName] : [],
      });
      const config = architecture.config(keys, overrides);
      const { name: model, base_model_prefix, not_parameters } = architecture;
      const { parameters, outputs } = declare(architecture, config);
      const quantised = storedPackings(config, () => usesOf(flat(outputs)));
      const file = await openWeights(path);
      try {
        const { weights, packed, report } = await loadWeights(parameters, file, {
          ...load,
          model,
          base_model_prefix,
          not_parameters,
          quantised,
        });
        const notice = reportText(report, model, folderOrId);
        if (notice !== '') (load.on_notice ?? console.warn)(notice);
        const loaded = new PreTrainedModel(architecture, config, weights, report, packed);
        if (architecture.decode)
          loaded.generation_config = (await readGenerationConfig(folder)) ?? loaded.generation_config;
        return loaded;
      } finally {
        await file.close();
      }
    },
    from_config(keys = {}, { seed = 0 } = {}) {
      const config = architecture.config(keys);
      return new PreTrainedModel(architecture, config, initialWeights(declare(architecture, config).parameters, seed));
    },
  };
}

/** Tells the options of a search from those of loading, and both from keys of the configuration. */
export function splitOptions(options: FromPretrainedModelOptions & ConfigKeys): {
  readonly where: FindOptions;
  readonly load: Pick<
    FromPretrainedModelOptions,
    'seed' | 'ignore_mismatched_sizes' | 'strict' | 'torch_dtype' | 'on_notice'
  >;
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
    gguf_file,
    seed,
    ignore_mismatched_sizes,
    strict,
    torch_dtype,
    on_notice,
    ...overrides
  } = options;
  return {
    where: defined({
      revision,
      refresh,
      signal,
      onProgress,
      cache_dir,
      endpoint,
      token,
      local_files_only,
      symlinks,
      gguf_file,
    }),
    load: defined({ seed, ignore_mismatched_sizes, strict, torch_dtype, on_notice }),
    overrides,
  };
}

/** The parameters of a model, and its outputs, found by building it once. */
function declare<C extends ModelConfig, O extends ModelOutputs>(
  architecture: Architecture<C, O>,
  config: C,
): { readonly parameters: ReadonlyMap<string, Parameter>; readonly outputs: O } {
  const root = scope();
  const specs = architecture.inputs(config);
  const outputs = architecture.build(root, config, symbols(specs, Object.keys(specs)), {});
  return { parameters: root.parameters(), outputs };
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
