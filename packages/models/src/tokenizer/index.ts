/**
 * Tokenizers from the contents of their files. Nothing of Node is imported, so this part runs in browsers too.
 *
 * @packageDocumentation
 */
export type { Encoding, IntTensor, PadOptions, TruncationStrategy } from './batch.ts';
export { TokenizerError } from './errors.ts';
export type { AddedTokenJson, TokenizerConfig, TokenizerJson } from './files.ts';
export type {
  ArrayOptions,
  DecodeOptions,
  EncodeCall,
  EncodeOptions,
  PreTrainedTokenizer,
  SpecialTokenName,
  SpecialTokens,
  TensorOptions,
  TextOrPair,
  TokenizerParts,
} from './tokenizer.ts';
export { createTokenizer } from './tokenizer.ts';
export type { TextStream } from './text-stream.ts';
export { createTextStream } from './text-stream.ts';
export type { ByteLevelBPEOptions } from './train-byte-level-bpe.ts';
export { trainByteLevelBPE } from './train-byte-level-bpe.ts';
