/**
 * Messages of a conversation as the one text that a chat model was trained on, by the model's own `chat_template`
 * (https://huggingface.co/docs/transformers/chat_templating), which is written in Jinja.
 */
import { Template } from '@huggingface/jinja';
import { TokenizerError } from './errors.ts';

/** One message. Templates may look at further keys, such as `tool_calls`. */
export interface ChatMessage {
  /** Who says it: `'system'`, `'user'`, `'assistant'`, `'tool'`, … */
  readonly role: string;
  readonly content?: unknown;
  readonly [key: string]: unknown;
}

/** How messages become a text. */
export interface ChatOptions {
  /** Which template: its Jinja source, or the name of one of several. Default: the model's own. */
  readonly chat_template?: string | undefined;
  /** End with what an answer of the model begins with. Default `false`. */
  readonly add_generation_prompt?: boolean | undefined;
  /** Functions that the model may call, as JSON schemas. */
  readonly tools?: readonly object[] | undefined;
  /** Texts that the model may refer to. */
  readonly documents?: readonly object[] | undefined;
  /** Give token ids, not the text. Default `true`. */
  readonly tokenize?: boolean | undefined;
  /** Further variables of the template. */
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
}

/** What {@link renderChat} is: it is handed to tokenizers, so that code without chats goes without an interpreter of Jinja. */
export type ChatRenderer = typeof renderChat;

/**
 * The text that a template makes of messages. `templates` is what stands under `chat_template` in `tokenizer_config.json`: a text, or a list of
 * named ones.
 *
 * @throws {TokenizerError} when there is no such template, it is no Jinja, or it refuses the messages.
 */
export function renderChat(
  templates: unknown,
  messages: readonly ChatMessage[],
  specials: Readonly<Record<string, unknown>>,
  options: ChatOptions,
): string {
  const { add_generation_prompt = false, tools, documents, variables } = options;
  const template = compile(choose(templates, options));
  const known = Object.entries(specials).filter(([name, token]) => name.endsWith('_token') && token !== undefined);
  try {
    return template.render({
      ...Object.fromEntries(known),
      messages,
      tools: tools ?? null,
      documents: documents ?? null,
      add_generation_prompt,
      ...variables,
    });
  } catch (cause) {
    throw new TokenizerError(`The chat template does not take these messages: ${(cause as Error).message}`, { cause });
  }
}

/** The source of the template that is asked for: with `tools` the one named `tool_use`, if there is one, else `default`. */
function choose(templates: unknown, { chat_template, tools }: ChatOptions): string {
  const named = new Map(
    Array.isArray(templates)
      ? (templates as { name: string; template: string }[]).map(({ name, template }) => [name, template])
      : typeof templates === 'string'
        ? [['default', templates]]
        : [],
  );
  if (chat_template !== undefined) return named.get(chat_template) ?? chat_template;
  const found = (tools && named.get('tool_use')) ?? named.get('default');
  if (found !== undefined) return found;
  throw new TokenizerError(
    named.size === 0
      ? 'This tokenizer has no chat_template: its model was not trained for conversations. Give one as chat_template, or encode plain text.'
      : `This tokenizer has several chat templates and none of them is the default. Say chat_template: one of ${[...named.keys()].join(', ')}.`,
  );
}

const compiled = new Map<string, Template>();

function compile(source: string): Template {
  let template = compiled.get(source);
  if (template === undefined) {
    try {
      template = new Template(source);
    } catch (cause) {
      throw new TokenizerError(`The chat template is not Jinja: ${(cause as Error).message}`, { cause });
    }
    compiled.set(source, template);
  }
  return template;
}
