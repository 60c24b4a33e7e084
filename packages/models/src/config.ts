/** `config.json`: the keys that all models share, and how a family's defaults are filled in. Keys nobody knows are kept. */
import { readFile } from 'node:fs/promises';
import { CheckpointError } from './checkpoint/errors.ts';
import { ConfigError } from './errors.ts';

/** What kind of labels a classifier learns. */
export type ProblemType = 'regression' | 'single_label_classification' | 'multi_label_classification';

/** The keys that every configuration has; each family adds its own. Spelt as in `config.json`. */
export interface ModelConfig {
  readonly model_type: string;
  /** The classes that the weights belong to, e.g. `['BertForSequenceClassification']`. */
  readonly architectures: readonly string[] | null;
  readonly num_labels: number;
  /** The name of each label, by its number. */
  readonly id2label: Readonly<Record<number, string>>;
  /** The number of each label, by its name. */
  readonly label2id: Readonly<Record<string, number>>;
  /** `null`: as the labels look; see the classifier. */
  readonly problem_type: ProblemType | null;
  /** Whatever else `config.json` says. */
  readonly [key: string]: unknown;
}

/** The keys that a configuration type names itself, all of them optional: what callers may override. */
export type ConfigOverrides<C> = {
  readonly [K in keyof C as string extends K ? never : number extends K ? never : K]?: C[K];
};

/** What a `config.json` or a caller says, before it is checked. */
export type ConfigKeys = Readonly<Record<string, unknown>>;

/** The keys that are common to all families, with what they are where nobody says. */
const common = { architectures: null, num_labels: 2, id2label: null, label2id: null, problem_type: null };

/**
 * A family's configuration: its defaults, replaced by what `config.json` says, replaced by what the caller says.
 * `defaults` also tells the type of each key; the `nullable` ones may be `null`.
 * @throws ConfigError for a value of the wrong type, another `model_type`, labels that contradict each other, and for overrides
 * that are no key of this family
 */
export function fillConfig<D extends { readonly model_type: string }>(
  defaults: D,
  nullable: readonly (keyof D)[],
  file: ConfigKeys,
  overrides: ConfigKeys = {},
): D & ModelConfig {
  const { model_type } = defaults;
  const said = defined(overrides);
  for (const key of Object.keys(said))
    if (!(key in defaults) && !(key in common) && !(key in file))
      throw new ConfigError(
        `"${key}" is no option and no key of a "${model_type}" configuration; its keys are ${Object.keys({ ...common, ...defaults }).join(', ')}`,
      );
  if (file['model_type'] !== undefined && file['model_type'] !== model_type)
    throw new ConfigError(
      `the configuration is of a "${String(file['model_type'])}", not of a "${model_type}"; use the class of that family, or an Auto class`,
    );
  const merged: Record<string, unknown> = { ...common, ...defaults, ...defined(file), ...said };
  for (const [key, usual] of Object.entries(defaults)) {
    const value = merged[key];
    if (value === null && (nullable as readonly string[]).includes(key)) continue;
    if (key === 'eos_token_id' && Array.isArray(value) && value.every(Number.isInteger)) continue;
    const wanted = usual === null ? 'number' : typeof usual;
    if (typeof value !== wanted || Number.isNaN(value))
      throw new ConfigError(`"${key}" of the configuration is ${JSON.stringify(value)}; it must be a ${wanted}`);
  }
  return { ...merged, ...labels(defined(file), said) } as unknown as D & ModelConfig;
}

/** Complains unless each of the keys is a whole number of at least 1. @throws ConfigError */
export function checkSizes(config: ConfigKeys, keys: readonly string[]): void {
  for (const key of keys) {
    const value = config[key];
    if (!Number.isInteger(value) || (value as number) < 1)
      throw new ConfigError(`"${key}" of the configuration is ${String(value)}; it must be a whole number from 1 on`);
  }
}

/** The three keys about labels, made to agree. Names that are too few or too many for a new `num_labels` are dropped, as in Python. */
function labels(file: ConfigKeys, said: ConfigKeys): Pick<ModelConfig, 'num_labels' | 'id2label' | 'label2id'> {
  const naming = said['id2label'] ?? inverse(said['label2id']);
  const count = said['num_labels'] as number | undefined;
  let names = (naming ?? file['id2label'] ?? inverse(file['label2id'])) as Record<number, string> | undefined;
  if (naming === undefined && count !== undefined && names && Object.keys(names).length !== count) names = undefined;
  const num_labels = names ? Object.keys(names).length : (count ?? (file['num_labels'] as number | undefined) ?? 2);
  checkSizes({ num_labels }, ['num_labels']);
  if (count !== undefined && count !== num_labels)
    throw new ConfigError(`num_labels is ${count}, but id2label names ${num_labels} labels; leave one of them out`);
  const id2label: Record<number, string> = {};
  for (let i = 0; i < num_labels; i++) {
    const name = names ? names[i] : `LABEL_${i}`;
    if (typeof name !== 'string')
      throw new ConfigError(`id2label has no name for label ${i} of ${num_labels}; number the labels from 0 on`);
    id2label[i] = name;
  }
  const given = (said['label2id'] ?? (names && naming === undefined ? file['label2id'] : undefined)) as
    Record<string, number> | undefined;
  return { num_labels, id2label, label2id: given ?? (inverse(id2label) as Record<string, number>) };
}

function inverse(record: unknown): Record<string, string | number> | undefined {
  if (record === undefined || record === null) return undefined;
  return Object.fromEntries(
    Object.entries(record as Record<string, string | number>).map(([key, value]) => [
      value,
      /^\d+$/.test(key) ? Number(key) : key,
    ]),
  );
}

/** Reads a `config.json`. @throws CheckpointError `missing-file`, `bad-header` if it is no JSON object */
export async function readConfig(path: string): Promise<ConfigKeys> {
  const problem = (found: string) => ({
    asked: 'the configuration of a model',
    found,
    where: path,
    fix: 'Fetch or save the model again.',
  });
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new CheckpointError('missing-file', problem(`it cannot be read (${cause.code})`), { cause });
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new CheckpointError('bad-header', problem(`it is not JSON (${(cause as Error).message})`), { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new CheckpointError('bad-header', problem('it is no JSON object'));
  return value as ConfigKeys;
}

/**
 * The text of `config.json`, as Python writes it: keys sorted, and labels left out where they have their usual two names.
 * The version of `transformers` that a file was read with is left out: it did not write this one.
 */
export function configText(config: ModelConfig, architecture: string, torch_dtype = 'float32'): string {
  const { num_labels, id2label, label2id, problem_type, transformers_version: _, ...rest } = config;
  const usual = num_labels === 2 && id2label[0] === 'LABEL_0' && id2label[1] === 'LABEL_1';
  const keys: Record<string, unknown> = {
    ...rest,
    architectures: [architecture],
    torch_dtype,
    ...(!usual && { id2label, label2id }),
    ...(problem_type !== null && { problem_type }),
  };
  return `${JSON.stringify(Object.fromEntries(Object.entries(keys).sort(([a], [b]) => (a < b ? -1 : 1))), null, 2)}\n`;
}

/** The keys that are not `undefined`, which must not hide what else is said. */
function defined(keys: ConfigKeys): ConfigKeys {
  return Object.fromEntries(Object.entries(keys).filter(([, value]) => value !== undefined));
}
