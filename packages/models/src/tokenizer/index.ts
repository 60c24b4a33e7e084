/**
 * Tokenizers from the contents of their files. Nothing of Node is imported, so this part runs in browsers too.
 *
 * @packageDocumentation
 */
export type { Encoding, IntTensor, PadOptions, TruncationStrategy } from './batch.ts';
export { TokenizerError } from './errors.ts';
export type { AddedTokenJson, StepJson, TokenizerConfig, TokenizerJson } from './files.ts';
export type {
  ArrayOptions,
  BatchExtras,
  DecodeOptions,
  EncodeCall,
  EncodeOptions,
  PreTrainedTokenizer,
  RowExtras,
  SpecialTokenName,
  SpecialTokens,
  TensorOptions,
  TextOrPair,
  TokenizerParts,
} from './tokenizer.ts';
export { createTokenizer } from './tokenizer.ts';
export type { ChatMessage, ChatOptions, ChatRenderer } from './chat-template.ts';
export { renderChat } from './chat-template.ts';
export type { Offset, TokenOffsets } from './encode.ts';
export { char_to_token, word_to_tokens } from './encode.ts';
export type { TextStream } from './text-stream.ts';
export { createTextStream } from './text-stream.ts';
export type { ByteLevelBPEOptions } from './train-byte-level-bpe.ts';
export { trainByteLevelBPE } from './train-byte-level-bpe.ts';
