/**
 * The files of a tokenizer in a Hugging Face model folder: `tokenizer.json` (the whole pipeline), `tokenizer_config.json`
 * (names of the special tokens, limits), `special_tokens_map.json`, `vocab.txt` and `chat_template.jinja`. Reading and writing them is all
 * that touches the disk; everything else in this folder works on their contents.
 */
import { TokenizerError } from './errors.ts';

/** Asked for when a file is read or written, and not imported: tokenizers made from values work where there is no Node. */
function node() {
  const builtin = globalThis.process?.getBuiltinModule;
  if (!builtin) {
    throw new TokenizerError(
      'There are no folders here to read or write tokenizers: make one from the contents of its files with createTokenizer.',
    );
  }
  return { ...builtin('node:fs/promises'), ...builtin('node:path') };
}

/** A step of `tokenizer.json`: its type and its settings. */
export type StepJson = { readonly type: string } & Readonly<Record<string, unknown>>;

/** `tokenizer.json` as the Rust `tokenizers` library writes it; only what this package looks at is typed. */
export interface TokenizerJson {
  readonly version?: string;
  readonly truncation?: unknown;
  readonly padding?: unknown;
  readonly added_tokens: readonly AddedTokenJson[];
  readonly normalizer: StepJson | null;
  readonly pre_tokenizer: StepJson | null;
  readonly post_processor: StepJson | null;
  readonly decoder: StepJson | null;
  readonly model: { readonly type: string; readonly vocab: unknown } & Readonly<Record<string, unknown>>;
}

/** A token outside the model's own vocabulary rules: matched in the text before anything else looks at it. */
export interface AddedTokenJson {
  readonly id: number;
  readonly content: string;
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
  readonly special: boolean;
}

/** The keys of `tokenizer_config.json` that are looked at; all others are kept as they are. */
export interface TokenizerConfig {
  readonly tokenizer_class?: string;
  readonly model_max_length?: number;
  readonly model_input_names?: readonly string[];
  readonly padding_side?: 'right' | 'left';
  readonly do_lower_case?: boolean | undefined;
  readonly strip_accents?: boolean | null | undefined;
  readonly tokenize_chinese_chars?: boolean | undefined;
  readonly clean_up_tokenization_spaces?: boolean;
  readonly [key: string]: unknown;
}

/** The files that a tokenizer may consist of. */
export const tokenizerFileNames = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'vocab.txt',
  'chat_template.jinja',
] as const;

/** The contents of a tokenizer's files; empty or `undefined` where the folder has no such file. */
export interface TokenizerFiles {
  readonly tokenizer: TokenizerJson | undefined;
  readonly config: TokenizerConfig;
  readonly specialTokensMap: Readonly<Record<string, unknown>>;
  /** The lines of `vocab.txt`. */
  readonly vocab: readonly string[] | undefined;
}

/**
 * Reads the tokenizer files of a model folder.
 *
 * @throws {TokenizerError} when the folder has neither `tokenizer.json` nor `vocab.txt`, or a file is not what it should be.
 */
export async function readTokenizerFiles(folder: string): Promise<TokenizerFiles> {
  const [tokenizer, config = {}, specialTokensMap = {}, vocab, chat_template] = await Promise.all([
    readJson(folder, 'tokenizer.json'),
    readJson(folder, 'tokenizer_config.json'),
    readJson(folder, 'special_tokens_map.json'),
    readText(folder, 'vocab.txt'),
    readText(folder, 'chat_template.jinja'),
  ]);
  if (tokenizer === undefined && vocab === undefined) {
    throw new TokenizerError(
      `No tokenizer in '${folder}': found neither tokenizer.json nor vocab.txt. ` +
        `Give the folder of a model saved by save_pretrained, or its id on the hub.`,
    );
  }
  return {
    tokenizer: tokenizer && parseTokenizer(tokenizer, folder),
    config: chat_template === undefined ? config : { ...config, chat_template },
    specialTokensMap,
    vocab: vocab === undefined ? undefined : parseVocab(vocab),
  };
}

/** Writes files by name into `folder`, which is made if it is not there; objects as JSON with two-space indent. */
export async function writeTokenizerFiles(folder: string, files: Readonly<Record<string, unknown>>): Promise<string[]> {
  const { join, mkdir, writeFile } = node();
  await mkdir(folder, { recursive: true });
  return Promise.all(
    Object.entries(files).map(async ([name, content]) => {
      const path = join(folder, name);
      await writeFile(path, typeof content === 'string' ? content : `${JSON.stringify(content, null, 2)}\n`);
      return path;
    }),
  );
}

/** Python leaves keys out where there is nothing to say; the steps themselves are checked where they are built. */
function parseTokenizer(value: Record<string, unknown>, folder: string): TokenizerJson {
  const {
    added_tokens = [],
    normalizer = null,
    pre_tokenizer = null,
    post_processor = null,
    decoder = null,
    model,
  } = value;
  const { type, vocab } = (model ?? {}) as { type?: unknown; vocab?: unknown };
  if (typeof type !== 'string' || typeof vocab !== 'object' || vocab === null || !Array.isArray(added_tokens)) {
    throw new TokenizerError(
      `tokenizer.json in '${folder}' has no model with a type and a vocabulary. Is it a tokenizer? Fetch it again.`,
    );
  }
  return { ...value, added_tokens, normalizer, pre_tokenizer, post_processor, decoder, model } as TokenizerJson;
}

/** One piece a line, its id the line number; the last line may or may not end with a newline. */
function parseVocab(text: string): string[] {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

async function readJson(folder: string, name: string): Promise<Record<string, unknown> | undefined> {
  const text = await readText(folder, name);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new TokenizerError(`${name} in '${folder}' is not JSON (${(cause as Error).message}). Fetch it again.`, {
      cause,
    });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TokenizerError(`${name} in '${folder}' should hold a JSON object. Fetch it again.`);
  }
  return value as Record<string, unknown>;
}

async function readText(folder: string, name: string): Promise<string | undefined> {
  const { join, readFile } = node();
  try {
    return await readFile(join(folder, name), 'utf8');
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}
