/**
 * What a runtime needs to load and run a compiled program, without the compiler.
 *
 * @packageDocumentation
 */
export { BackendError } from './errors.ts';
export type { Artifact, BufferRole, DimRange, PlanBuffer, Port, Ports, ProgramData, Step } from './format.ts';
export type { Layout } from './offsets.ts';
export { assignOffsets, evaluateSize } from './offsets.ts';
export type { Program, StateHandle, StepTime } from './program.ts';
