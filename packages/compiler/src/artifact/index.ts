/**
 * What a runtime needs to load and run a compiled program, without the compiler; and the container that programs travel in.
 *
 * @packageDocumentation
 */
export type { BoundOutput, Signature } from './bind.ts';
export { bindInputs, bindOutputs, checkSizes, fixedSizes, freeDims, misfit, newState } from './bind.ts';
export type { Bundle, CheckCase, Tolerance, WeightTensor } from './bundle.ts';
export { checkBackend, codeOf } from './code.ts';
export type { EncodedBundle, EncodedFile, EncodeOptions } from './encode.ts';
export { encodeBundle } from './encode.ts';
export type { ArtifactFault } from './errors.ts';
export { ArtifactError, BackendError } from './errors.ts';
export type {
  Artifact,
  BufferRole,
  DimRange,
  PlanBuffer,
  Port,
  Ports,
  ProgramData,
  Requirements,
  Step,
} from './format.ts';
export type { LoadBundleOptions, Loaded } from './load.ts';
export { loadBundle } from './load.ts';
export type {
  Manifest,
  ManifestCheck,
  ManifestEntry,
  ManifestState,
  ManifestTensor,
  Part,
  StoredAt,
  TensorInfo,
} from './manifest.ts';
export { formatVersion } from './manifest.ts';
export { near } from './near.ts';
export type { Layout } from './offsets.ts';
export { keepPrepared, preparedFrom } from './prepare.ts';
export { arenaLayout, assignOffsets, evaluateSize } from './offsets.ts';
export { peakBytes } from './peak.ts';
export type { Program, RunOptions, StateHandle, StepTime } from './program.ts';
export type { BundleReader, ReadOptions } from './reader.ts';
export { openBundle, verifyBundle } from './reader.ts';
export type { LoadOptions, LoadProgress, Runtime } from './runtime.ts';
export { contractVersion } from './runtime.ts';
export type { SizeJson } from './size.ts';
export { sizeFromJson, sizeToJson } from './size.ts';
export type { ByteSource, OpenFile, SourceOptions, UrlOptions } from './source.ts';
export { bytesSource, fileSource, urlSource } from './source.ts';
export type { WeightPiece } from './weights.ts';
