/** Artifacts through a cache: bytes in the format of `.sinter` files, without weights. */
import { encodeBundle } from '../artifact/encode.ts';
import { ArtifactError } from '../artifact/errors.ts';
import type { Artifact } from '../artifact/format.ts';
import { openBundle } from '../artifact/reader.ts';
import { bytesSource } from '../artifact/source.ts';
import type { Cache } from './cache.ts';

const entry = 'program';

/** The artifact that is kept under a key, or the one that `make` makes, which is kept then. */
export async function cached(cache: Cache, key: string, make: () => Promise<Artifact>): Promise<Artifact> {
  const kept = await cache.read(key);
  const found = kept && (await decoded(kept));
  if (found) return found;
  const artifact = await make();
  await cache.write(key, await encoded(artifact));
  return artifact;
}

async function encoded(artifact: Artifact): Promise<Uint8Array> {
  const { files } = await encodeBundle({ name: artifact.name, entries: { [entry]: artifact } });
  const bytes = new Uint8Array(files[0].bytes);
  let at = 0;
  for await (const chunk of files[0].read()) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** `undefined` for bytes that are no artifact (any more): whoever wanted it makes it again. */
async function decoded(bytes: Uint8Array): Promise<Artifact | undefined> {
  try {
    return await (await openBundle(bytesSource(bytes))).artifact(entry);
  } catch (error) {
    if (error instanceof ArtifactError) return undefined;
    throw error;
  }
}
