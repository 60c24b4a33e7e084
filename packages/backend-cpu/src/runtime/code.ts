/** What an artifact of this backend carries in `code`, written by `build` and read by `load`. */
import type { Artifact } from '@sinter/compiler/artifact';
import { codeOf } from '@sinter/compiler/artifact';

/** The `backend` of our artifacts. */
export const backendName = 'cpu';

/** The names of the parts of `code`: the module twice, and the bytes of scratch that each thread needs, a little-endian u32. */
export const parts = { plain: 'module.wasm', fma: 'module.fma.wasm', scratch: 'scratch' } as const;

/** The parts of a new artifact: one of the modules, or both. */
export function packCode(code: {
  readonly plain?: Uint8Array | undefined;
  readonly fma?: Uint8Array | undefined;
  readonly scratchBytes: number;
}): Artifact['code'] {
  const scratch = new Uint8Array(4);
  new DataView(scratch.buffer).setUint32(0, code.scratchBytes, true);
  return {
    ...(code.plain && { [parts.plain]: code.plain }),
    ...(code.fma && { [parts.fma]: code.fma }),
    [parts.scratch]: scratch,
  };
}

/** The parts of an artifact that this engine needs; an `ArtifactError` if they are missing. */
export function unpackCode(
  artifact: Artifact,
  fma: boolean,
): { readonly module: Uint8Array; readonly scratchBytes: number } {
  const name = fma ? parts.fma : parts.plain;
  const { [name]: module, [parts.scratch]: scratch } = codeOf(artifact, backendName, [name, parts.scratch]);
  return { module, scratchBytes: new DataView(scratch.buffer, scratch.byteOffset).getUint32(0, true) };
}
