/**
 * `pipeline(task, model)`: a function from texts to what a task makes of them, with the names, options and results of Hugging Face's pipelines
 * (transformers.js and Python's `transformers.pipelines`).
 */
import type { Backend } from '@sinter/compiler';
import { defaultBackend } from '../default-backend.ts';
import type { CompileModelOptions } from '../model.ts';
import {
  AutoModel,
  AutoModelForCausalLM,
  AutoModelForMaskedLM,
  AutoModelForQuestionAnswering,
  AutoModelForSeq2SeqLM,
  AutoModelForSequenceClassification,
  AutoModelForTokenClassification,
} from '../registry.ts';
import { SentenceTransformer } from '../sentence-transformer.ts';
import { callable } from './call.ts';
import { PipelineError } from './errors.ts';
import { featureExtraction } from './feature-extraction.ts';
import { fillMask } from './fill-mask.ts';
import { load } from './load.ts';
import type { AnyModel, Loaded, Loader, PipelineLoadOptions, PipelineSource } from './load.ts';
import { questionAnswering } from './question-answering.ts';
import { reader } from './reader.ts';
import { checkCount } from './runner.ts';
import type { Row } from './runner.ts';
import { sentenceSimilarity } from './sentence-similarity.ts';
import { taskContext, withReader } from './task.ts';
import type { ReadingTask, TaskContext } from './task.ts';
import { textClassification } from './text-classification.ts';
import { text2text } from './text2text-generation.ts';
import { textGeneration } from './text-generation.ts';
import { tokenClassification } from './token-classification.ts';
import type { Pipeline, Pipelines, TaskName } from './types.ts';
import { withWriter } from './writer.ts';
import type { WritingContext, WritingOptions, WritingTask } from './writer.ts';
import { zeroShotClassification } from './zero-shot-classification.ts';

/** The options of {@link pipeline}. */
export interface PipelineOptions extends PipelineLoadOptions, Pick<CompileModelOptions, 'cache'> {
  /** Where it runs. Default: the CPU, if `@sinter/backend-cpu` is installed. */
  readonly backend?: Backend | undefined;
  /** The most texts that are read at once. Default: 32. */
  readonly batch_size?: number | undefined;
  /** The most tokens of a text; of longer ones the end is left out. Default: what tokenizer and model allow. */
  readonly max_length?: number | undefined;
}

/**
 * A function that does a task with a model: `await (await pipeline('text-classification', './model'))(['…', '…'])`. Called with one input it gives a
 * result, with an array an array, with any other iterable an iterable of results, always in the order of the inputs. `await using` or
 * {@link Pipeline.close} frees its memory.
 *
 * @throws PipelineError for an unknown task, and for a model that cannot do it
 * @throws CheckpointError, ConfigError, TokenizerError for a model or tokenizer that cannot be had
 */
export async function pipeline<T extends TaskName>(
  task: T,
  model?: PipelineSource,
  options: PipelineOptions = {},
): Promise<Pipelines[T]> {
  const kind = kindOf(task);
  const { backend, batch_size = kind.batch_size, max_length, cache, ...from } = options;
  checkCount('batch_size', batch_size);
  const loaded = await load({ task, ...kind }, model ?? kind.usual, from);
  const { answer, ...rest } = await kind.open(loaded, {
    task,
    backend: backend ?? (await defaultBackend()),
    batch_size,
    max_length,
    cache,
  });
  return Object.assign(answer, { task, ...loaded, ...rest }) as object as Pipelines[T];
}

/** A task: which models can do it, and how it is done with one. */
interface Kind {
  /** Loads models that can. */
  readonly auto: Loader;
  /** Whether a model can. */
  has(model: AnyModel): boolean;
  /** The model on the hub where the caller names none. */
  readonly usual: string;
  /** How many texts are read, or written, at once where the caller does not say. */
  readonly batch_size: number;
  open(
    loaded: Loaded,
    options: OpenOptions,
  ): Promise<Omit<Pipeline, 'task' | keyof Loaded> & { readonly answer: object }>;
}
type OpenOptions = Pick<PipelineOptions, 'cache' | 'max_length'> & {
  readonly task: string;
  readonly backend: Backend;
  readonly batch_size: number;
};

type Able = Pick<Kind, 'auto' | 'has' | 'usual'>;

/** A task for models that read. `alone` is as {@link callable} has it, `made` is what is run of a model. */
function reading<Input, Options, Reading, Each, R extends Row>(
  able: Able,
  make: (context: TaskContext) => ReadingTask<Input, Options, Reading, Each, R>,
  { alone, made = (model) => model }: { alone?: (each: Each) => unknown; made?: (model: AnyModel) => AnyModel } = {},
): Kind {
  return {
    ...able,
    batch_size: 32,
    async open(loaded, { backend, batch_size, max_length, cache }) {
      const task = make(taskContext(loaded, max_length));
      const opened = await reader(made(loaded.model), backend, task.outputs, batch_size, { cache });
      return {
        answer: callable(withReader(task, opened), 16 * batch_size, alone),
        close: () => opened.close(),
        [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
      };
    },
  };
}

/** A task for models that write. */
function writing<Input, Options extends WritingOptions, Each>(
  able: Able,
  make: (context: WritingContext) => WritingTask<Input, Options, Each>,
  alone?: (each: Each) => unknown,
): Kind {
  return {
    ...able,
    batch_size: 8,
    async open(loaded, { task: name, backend, batch_size, max_length }) {
      const { model, tokenizer } = loaded;
      const { prefix, ...usual } = saidOf(name, model);
      const written = withWriter(
        make({
          tokenizer,
          bos_token_id: model.generation_config.bos_token_id ?? undefined,
          max_source:
            max_length ?? Math.min(tokenizer.model_max_length, model.dims['source'] ?? model.dims['seq'] ?? Infinity),
          prefix,
        }),
        loaded,
        { backend, batch_size, usual },
      );
      const { stream } = written;
      return {
        answer: Object.assign(callable(written, 16 * batch_size, alone), { stream }),
        close: () => void model.free(),
        [Symbol.asyncDispose]: () => model.free(),
      };
    },
  };
}

/** What a model's configuration says of a task: options of `generate`, and what it was trained to see before every text. */
function saidOf(task: string, { config }: AnyModel): { readonly prefix: string; readonly [option: string]: unknown } {
  const { prefix, task_specific_params } = config as {
    readonly prefix?: string | null;
    readonly task_specific_params?: Readonly<Record<string, object>> | null;
  };
  const tasks = task_specific_params ?? {};
  // As in Python, a translation between languages that nobody names is the first that there is.
  const key = task === 'translation' ? Object.keys(tasks).find((name) => name.startsWith(task)) : task;
  return { prefix: prefix ?? '', ...(key !== undefined && tasks[key]) };
}

/** The shape of an output, without the batch; none if the model has no such output. */
function shapeOf(model: AnyModel, output: string): readonly unknown[] {
  return model.graph().outputs[output]?.shape.slice(1) ?? [];
}

const classification = reading(
  {
    auto: AutoModelForSequenceClassification,
    has: (model) => shapeOf(model, 'logits').length === 1,
    usual: 'distilbert/distilbert-base-uncased-finetuned-sst-2-english',
  },
  textClassification,
  { alone: (each) => [each].flat() },
);

const states: Able = {
  auto: AutoModel,
  has: (model) => shapeOf(model, 'last_hidden_state').length === 2,
  usual: 'sentence-transformers/all-MiniLM-L6-v2',
};

const tokens = reading(
  {
    auto: AutoModelForTokenClassification,
    has: (model) => !model.architecture.decode && shapeOf(model, 'logits')[1] === model.config.num_labels,
    usual: 'dbmdz/bert-large-cased-finetuned-conll03-english',
  },
  tokenClassification,
);

const rewriting = <K extends 'generated_text' | 'translation_text' | 'summary_text'>(key: K, usual: string): Kind =>
  writing(
    {
      auto: AutoModelForSeq2SeqLM,
      has: ({ architecture }) => Boolean(architecture.decode && architecture.encode),
      usual,
    },
    text2text(key),
    (each) => [each].flat(),
  );

/** The task of a name. @throws PipelineError for an unknown one */
function kindOf(task: string): Kind {
  const name = /^translation_.+_to_.+$/.test(task) ? 'translation' : task;
  if (Object.hasOwn(kinds, name)) return kinds[name as keyof typeof kinds];
  throw new PipelineError(
    `there is no task '${task}'; there are ${Object.keys(kinds).join(', ')} and translation_XX_to_YY`,
  );
}

/** All tasks. */
const kinds = {
  'text-classification': classification,
  'sentiment-analysis': classification,
  'feature-extraction': reading(states, featureExtraction),
  'sentence-similarity': reading(
    {
      ...states,
      auto: { classes: AutoModel.classes, from_pretrained: (...from) => SentenceTransformer.from_pretrained(...from) },
    },
    sentenceSimilarity,
    {
      made: (model) =>
        shapeOf(model, 'sentence_embedding').length > 0 ? model : new SentenceTransformer(model as AutoModel),
    },
  ),
  'fill-mask': reading(
    {
      auto: AutoModelForMaskedLM,
      has: (model) => !model.architecture.decode && shapeOf(model, 'logits')[1] === model.config['vocab_size'],
      usual: 'distilbert/distilroberta-base',
    },
    fillMask,
  ),
  'zero-shot-classification': reading(
    {
      auto: AutoModelForSequenceClassification,
      has: (model) => shapeOf(model, 'logits').length === 1,
      usual: 'facebook/bart-large-mnli',
    },
    zeroShotClassification,
  ),
  'token-classification': tokens,
  ner: tokens,
  'question-answering': reading(
    {
      auto: AutoModelForQuestionAnswering,
      has: (model) => shapeOf(model, 'start_logits').length === 1,
      usual: 'distilbert/distilbert-base-cased-distilled-squad',
    },
    questionAnswering,
  ),
  'text-generation': writing(
    {
      auto: AutoModelForCausalLM,
      has: ({ architecture }) => Boolean(architecture.decode && !architecture.encode),
      usual: 'openai-community/gpt2',
    },
    textGeneration,
  ),
  'text2text-generation': rewriting('generated_text', 'google-t5/t5-base'),
  summarization: rewriting('summary_text', 'sshleifer/distilbart-cnn-12-6'),
  translation: rewriting('translation_text', 'google-t5/t5-base'),
} satisfies Readonly<Record<string, Kind>>;
