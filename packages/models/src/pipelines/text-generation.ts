/** Text generation: what a model writes after a prompt, or answers in a chat. */
import type { ChatMessage } from '../tokenizer/chat-template.ts';
import type { Row } from './runner.ts';
import { PipelineError } from './errors.ts';
import type { WritingContext, WritingOptions, WritingTask } from './writer.ts';

/** Messages so far. */
export type Chat = readonly ChatMessage[];

/** The options of a call: those of `generate`, and these. */
export interface TextGenerationOptions extends WritingOptions {
  /** Whether the prompt, or the chat so far, is part of the result. Default: yes. */
  readonly return_full_text?: boolean | undefined;
  /** Special tokens around a prompt, as the tokenizer puts them. Default: yes. */
  readonly add_special_tokens?: boolean | undefined;
  /** Whether the last message of a chat is gone on with. Default: if it is the assistant's. */
  readonly continue_final_message?: boolean | undefined;
}

/** What was written after a prompt. */
export interface GeneratedText {
  /** With the prompt before it, unless `return_full_text` is `false`. */
  readonly generated_text: string;
}

/** What was answered in a chat. */
export interface GeneratedChat {
  /** The messages so far and the answer. */
  readonly generated_text: Chat;
}

/** The task, for a model that predicts the next token. */
export function textGeneration({
  tokenizer,
  bos_token_id,
}: WritingContext): WritingTask<string | Chat, TextGenerationOptions, (GeneratedText | GeneratedChat)[]> {
  const textOf = (tokens: readonly number[]): string =>
    tokenizer.decode(tokens, { skip_special_tokens: true, clean_up_tokenization_spaces: true });
  const goesOn = (chat: Chat, said: boolean | undefined): boolean => said ?? chat.at(-1)?.role === 'assistant';

  return {
    row(input, { add_special_tokens = true, continue_final_message }): Row {
      if (typeof input === 'string') {
        const input_ids = tokenizer.encode(input, { add_special_tokens });
        if (input_ids.length > 0) return { input_ids };
        if (bos_token_id === undefined)
          throw new PipelineError(
            'text-generation: the prompt is empty, and the model has no token that begins a text; begin with a word',
          );
        return { input_ids: [bos_token_id] };
      }
      return { input_ids: chatTokens(input, goesOn(input, continue_final_message)) };
    },
    result(input, { input_ids }, texts, { return_full_text = true, continue_final_message }) {
      const prompt = textOf(input_ids);
      return texts.map((tokens) => {
        const written = textOf([...input_ids, ...tokens]).slice(prompt.length);
        if (!return_full_text) return { generated_text: written };
        if (typeof input === 'string') return { generated_text: input + written };
        if (!goesOn(input, continue_final_message))
          return { generated_text: [...input, { role: 'assistant', content: written }] };
        const last = input.at(-1)!;
        return { generated_text: [...input.slice(0, -1), { ...last, content: String(last.content) + written }] };
      });
    },
  };

  /** The chat as the model's template writes it, up to where the answer goes. */
  function chatTokens(chat: Chat, isOpen: boolean): number[] {
    if (!isOpen) return tokenizer.apply_chat_template(chat, { add_generation_prompt: true });
    // What the template puts behind the last message is cut off.
    const text = tokenizer.apply_chat_template(chat, { tokenize: false });
    const content = String(chat.at(-1)!.content).trim();
    const at = text.lastIndexOf(content);
    if (at < 0)
      throw new PipelineError(
        'text-generation: the chat template changes the last message, so it cannot be gone on with',
      );
    return tokenizer.encode(text.slice(0, at + content.length), { add_special_tokens: false });
  }
}
