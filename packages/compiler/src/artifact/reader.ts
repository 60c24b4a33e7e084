/** Opens `.sinter` files: the manifest first, everything else when it is asked for, and nothing that is not verified. */
import { ArtifactError } from './errors.ts';
import type { Artifact } from './format.ts';
import type { Manifest, ManifestEntry } from './manifest.ts';
import { headBytes, padded, parseHead, parseManifest, partOf, sha256 } from './manifest.ts';
import { near } from './near.ts';
import type { Piece, Span } from './pieces.ts';
import { Cutter, damaged, spanBytes, truncated, verified, wholePart } from './pieces.ts';
import { decodeArtifact } from './plan-json.ts';
import type { ByteSource } from './source.ts';
import type { WeightPiece } from './weights.ts';
import { readWeights } from './weights.ts';

/** Options of reading many bytes. */
export interface ReadOptions {
  readonly signal?: AbortSignal;
  /** Hears how many bytes are read, of how many. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** An open `.sinter` file. */
export interface BundleReader {
  readonly manifest: Manifest;
  /** Bytes of the file itself, as its manifest has it. */
  readonly bytes: number;
  /** An entry point. @throws ArtifactError `unknown-entry`, `truncated`, `damaged`, `source` */
  artifact(entry: string): Promise<Artifact>;
  /** Several entry points, read in one go. @throws ArtifactError as {@link BundleReader.artifact} */
  artifacts(entries: readonly string[], options?: ReadOptions): Promise<Record<string, Artifact>>;
  /** A file. @throws ArtifactError `unknown-file`, `truncated`, `damaged`, `source` */
  file(name: string): Promise<Uint8Array>;
  /** Reads parts; gives a function from a part's number in the manifest to its bytes. @throws ArtifactError `truncated`, `damaged`, `source` */
  parts(numbers: readonly number[], options?: ReadOptions): Promise<(number: number) => Uint8Array>;
  /**
   * The initial state of the tensors of these names, in pieces of at most 4 MiB, in the order in which they are stored.
   *
   * @throws ArtifactError `weights` if there is no such tensor, `truncated`, `damaged`, `source`
   */
  weights(names: readonly string[], options?: ReadOptions): AsyncIterable<WeightPiece>;
  /** Reads everything, files beside too. @throws ArtifactError at the first thing that is not what was written. */
  verify(options?: ReadOptions): Promise<void>;
}

/** What comes with the head in the first read: most manifests, and no second request for them. */
const firstRead = 1 << 16;

/**
 * Opens a `.sinter` file: reads and verifies its manifest, and checks that the file is as long as it says.
 *
 * @throws ArtifactError `not-sinter`, `truncated`, `damaged`, `newer` (format), `source`
 */
export async function openBundle(
  source: ByteSource,
  options: { readonly signal?: AbortSignal } = {},
): Promise<BundleReader> {
  const { manifest, start } = await readManifest(source, options.signal);
  const bytes = manifest.parts.reduce((end, part) => end + (part.file === undefined ? padded(part.bytes) : 0), start);
  await checkLength(source, bytes);

  /** Parts may lie in several files: the pieces of one after the other. */
  async function* pieces(
    spans: readonly Span[],
    { signal, onProgress }: ReadOptions = {},
  ): AsyncGenerator<Piece, void, undefined> {
    const total = spans.reduce((sum, span) => sum + spanBytes(span), 0);
    let done = 0;
    for (const file of new Set(spans.map((span) => span.part.file))) {
      const of = spans.filter((span) => span.part.file === file);
      const from = file === undefined ? source : await openBeside(source, file);
      for await (const piece of verified(from, file === undefined ? start : 0, of, signal)) {
        yield piece;
        done += piece.bytes.length;
        onProgress?.(done, total);
      }
      if (file !== undefined) await checkLength(from, of[0]!.part.bytes);
    }
  }

  async function parts(numbers: readonly number[], read: ReadOptions = {}): Promise<(number: number) => Uint8Array> {
    const found = new Map(numbers.map((n) => [partOf(manifest, n), new Uint8Array(partOf(manifest, n).bytes)]));
    for await (const { part, at, bytes: piece } of pieces([...found.keys()].map(wholePart), read))
      found.get(part)!.set(piece, at);
    return (number) => found.get(partOf(manifest, number))!;
  }

  async function artifacts(names: readonly string[], read: ReadOptions = {}): Promise<Record<string, Artifact>> {
    const entries = names.map((name): [string, ManifestEntry] => [name, entryOf(manifest, name)]);
    const found = await parts(
      entries.flatMap(([, e]) => [e.plan, ...Object.values(e.code), ...Object.values(e.constants)]),
      read,
    );
    return Object.fromEntries(entries.map(([name, e]) => [name, decodeArtifact(manifest, e, found)]));
  }

  return {
    manifest,
    bytes,
    artifacts,
    parts,
    artifact: async (name) => (await artifacts([name]))[name]!,
    async file(name) {
      if (!Object.hasOwn(manifest.files, name))
        throw new ArtifactError(
          'unknown-file',
          `'${manifest.name}' has no file '${name}'; near it: ${near(name, Object.keys(manifest.files))}`,
        );
      const number = manifest.files[name]!;
      return (await parts([number]))(number);
    },
    weights: (names, read) => readWeights(manifest, names, (spans) => pieces(spans, read)),
    async verify(read) {
      for await (const _ of pieces(manifest.parts.map(wholePart), read));
    },
  };
}

/**
 * Reads every byte of a `.sinter` file, and of the files beside it, and compares all hashes.
 *
 * @throws ArtifactError at the first thing that is not what was written.
 */
export async function verifyBundle(source: ByteSource, options: ReadOptions = {}): Promise<Manifest> {
  const reader = await openBundle(source, options);
  await reader.verify(options);
  return reader.manifest;
}

/** An entry of a manifest. @throws ArtifactError `unknown-entry` */
export function entryOf(manifest: Manifest, name: string): ManifestEntry {
  if (Object.hasOwn(manifest.entries, name)) return manifest.entries[name]!;
  throw new ArtifactError(
    'unknown-entry',
    `'${manifest.name}' has no entry point '${name}'; it has ${Object.keys(manifest.entries).join(', ')}`,
  );
}

async function readManifest(source: ByteSource, signal?: AbortSignal): Promise<{ manifest: Manifest; start: number }> {
  let cutter = new Cutter(source.read(0, firstRead, signal));
  try {
    const { manifestBytes, hash } = parseHead(await cutter.take(headBytes));
    const start = padded(headBytes + manifestBytes);
    if (start > firstRead) {
      await cutter.end();
      cutter = new Cutter(source.read(headBytes, start - headBytes, signal));
    }
    const json = await cutter.take(manifestBytes);
    const rest = await cutter.take(start - headBytes - manifestBytes);
    if (json.length + rest.length < start - headBytes) throw truncated(source, headBytes + json.length + rest.length);
    if ((await sha256(json)) !== hash || rest.some((byte) => byte !== 0))
      throw damaged(source, headBytes, start - headBytes);
    return { manifest: parseManifest(json), start };
  } finally {
    await cutter.end();
  }
}

/** The file must have so many bytes, where its source knows how many it has. */
async function checkLength(source: ByteSource, bytes: number): Promise<void> {
  const size = (await source.size()) ?? bytes;
  if (size < bytes) throw truncated(source, size);
  if (size > bytes) throw damaged(source, bytes, size - bytes);
}

function openBeside(source: ByteSource, name: string): ByteSource | Promise<ByteSource> {
  if (!source.beside)
    throw new ArtifactError(
      'weights',
      `the weights of ${source.name} are in '${name}' beside it; give the source a 'beside' that opens it`,
    );
  return source.beside(name);
}
