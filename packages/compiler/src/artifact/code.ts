/** The code of an artifact, for the backend that it was built for. */
import { ArtifactError } from './errors.ts';
import type { Artifact } from './format.ts';

/** Throws an `ArtifactError` unless what is called `name` was built for the backend that is to run it. */
export function checkBackend(name: string, built: string, backend: string): void {
  if (built !== backend)
    throw new ArtifactError(
      'backend',
      `'${name}' was built for the backend '${built}', not for '${backend}'; load it there, or build it for '${backend}'`,
    );
}

/**
 * The parts of an artifact's code, by these names.
 *
 * @throws ArtifactError `backend` if it was built for another, `newer` if its format is not known, `damaged` if a part is missing.
 */
export function codeOf<N extends string>(
  artifact: Artifact,
  backend: string,
  names: readonly N[],
): { readonly [K in N]: Uint8Array } {
  const { name, code, format } = artifact;
  checkBackend(name, artifact.backend, backend);
  if (format !== 1)
    throw new ArtifactError(
      'newer',
      `'${name}' has format ${String(format)}, this version reads format 1; build it again`,
    );
  const missing = names.find((part) => !code[part]);
  if (missing !== undefined)
    throw new ArtifactError(
      'damaged',
      `'${name}' is incomplete: its code lacks '${missing}'; it carries ${Object.keys(code).join(', ') || 'none'}; build it again`,
    );
  return code as { readonly [K in N]: Uint8Array };
}
