/**
 * What a runtime needs to load and run a compiled program, without the compiler.
 *
 * @packageDocumentation
 */
export type { Signature } from './bind.ts';
export { bindInputs, checkSizes, fixedSizes, freeDims, misfit, newState } from './bind.ts';
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
export { near } from './near.ts';
export type { Layout } from './offsets.ts';
export { assignOffsets, evaluateSize } from './offsets.ts';
export type { Program, StateHandle, StepTime } from './program.ts';
export type { LoadOptions, LoadProgress, Runtime } from './runtime.ts';
export { contractVersion } from './runtime.ts';
