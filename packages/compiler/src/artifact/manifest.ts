/** The head of a `.sinter` file: its first 64 bytes, and the manifest, which says all but the bytes. See docs/artifacts.md. */
import type { DType, Shape } from '@sinter/ir';
import type { Tolerance } from './bundle.ts';
import { ArtifactError } from './errors.ts';
import type { DimRange, Requirements } from './format.ts';
import type { SizeJson } from './size.ts';

/** The version of the container that is written, and the newest that is read. */
export const formatVersion = 1;
/** Parts begin at multiples of this: WebGPU's strictest alignment. */
export const partAlign = 256;
/** Bytes under one hash: a piece is verified before it is used. */
export const pieceBytes = 4 << 20;
/** Bytes before the manifest. */
export const headBytes = 64;
/** No manifest is longer: a length beyond it is damage. */
export const longestManifest = 100_000_000;
/** `\x89SINTER\n`: not text, and changed by what changes line ends. */
export const magic = [0x89, 0x53, 0x49, 0x4e, 0x54, 0x45, 0x52, 0x0a] as const;

/** Bytes of a file. `offset` counts from the first part's start; of a part in a `file` beside, from the start of that file. */
export interface Part {
  /** The name of the file beside that holds the part. Default: the file itself. */
  readonly file?: string;
  readonly offset: number;
  readonly bytes: number;
  /** The SHA-256 (hexadecimal) of each piece of 4 MiB. */
  readonly sha256: readonly string[];
}

/** The type of a tensor at the border of a program. */
export interface TensorInfo {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** An entry point. Numbers that stand for bytes are positions in {@link Manifest.parts}. */
export interface ManifestEntry {
  /** The program's own name. */
  readonly program: string;
  readonly dims: Readonly<Record<string, DimRange>>;
  readonly inputs: Readonly<Record<string, TensorInfo>>;
  readonly outputs: Readonly<Record<string, TensorInfo>>;
  /** Names of the state it uses. */
  readonly state: readonly string[];
  /** Names of the state it changes; absent: any. */
  readonly updates?: readonly string[];
  readonly requires?: Requirements;
  /** The bytes that a run needs at least beside state and constants, over the run-time sizes. */
  readonly peakBytes: SizeJson;
  readonly plan: number;
  readonly code: Readonly<Record<string, number>>;
  readonly constants: Readonly<Record<string, number>>;
}

/** Where the first value of a state tensor lies: `at` bytes into a part, in a dtype that may be narrower than the state's. */
export interface StoredAt {
  readonly part: number;
  /** A multiple of the width of an element, so that no element lies in two pieces. */
  readonly at: number;
  readonly dtype: DType;
}

/** A state tensor and where its first value comes from; `later`: it is zero, and whoever loads the bundle writes it. */
export interface ManifestState extends TensorInfo {
  readonly shape: readonly number[];
  readonly from: StoredAt | 'zeros' | 'later';
}

/** A tensor of a stored case. */
export interface ManifestTensor {
  readonly shape: readonly number[];
  readonly part: number;
}

/** A stored case. */
export interface ManifestCheck {
  readonly inputs: Readonly<Record<string, ManifestTensor>>;
  readonly outputs: Readonly<Record<string, ManifestTensor>>;
  readonly tolerance: Tolerance;
}

/** What a `.sinter` file says of itself. Members that are not known are skipped: later versions may add some. */
export interface Manifest {
  /** The contract between artifact and runtime that it was made for. */
  readonly contract: number;
  readonly name: string;
  /** The software that wrote it. */
  readonly producer: string;
  readonly backend: string;
  readonly source?: Readonly<Record<string, unknown>>;
  readonly entries: Readonly<Record<string, ManifestEntry>>;
  readonly state: Readonly<Record<string, ManifestState>>;
  /** The parts that are safetensors files with the initial state. */
  readonly weights: readonly number[];
  readonly files: Readonly<Record<string, number>>;
  readonly check: Readonly<Record<string, ManifestCheck>>;
  readonly parts: readonly Part[];
}

/** `bytes` up to the next start of a part. */
export function padded(bytes: number): number {
  return Math.ceil(bytes / partAlign) * partAlign;
}

/** The SHA-256 of bytes, in hexadecimal. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  if (!globalThis.crypto?.subtle)
    throw new ArtifactError(
      'source',
      'there is no crypto.subtle to verify hashes with; serve the page over https or from localhost',
    );
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>));
  return hex(hash);
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The head: magic, format, length and hash of the manifest, the manifest, and zeros up to the first part. */
export async function encodeHead(manifest: Manifest): Promise<Uint8Array> {
  const json = new TextEncoder().encode(JSON.stringify(manifest));
  const head = new Uint8Array(padded(headBytes + json.length));
  const view = new DataView(head.buffer);
  head.set(magic);
  view.setUint32(8, formatVersion, true);
  view.setUint32(12, json.length, true);
  head.set(
    (await sha256(json)).match(/../g)!.map((byte) => parseInt(byte, 16)),
    16,
  );
  head.set(json, headBytes);
  return head;
}

/** Reads the first 64 bytes (or what there is of them): the length of the manifest, and its hash. */
export function parseHead(head: Uint8Array): { readonly manifestBytes: number; readonly hash: string } {
  if (magic.some((byte, i) => i < head.length && head[i] !== byte))
    throw new ArtifactError(
      'not-sinter',
      `this is no .sinter file: it begins with ${JSON.stringify(String.fromCharCode(...head.subarray(0, 8)))}`,
    );
  if (head.length < headBytes)
    throw new ArtifactError(
      'truncated',
      `the .sinter file ends after ${head.length} bytes, within its head of ${headBytes}; fetch it again`,
    );
  const view = new DataView(head.buffer, head.byteOffset, headBytes);
  const format = view.getUint32(8, true);
  if (format > formatVersion)
    throw new ArtifactError(
      'newer',
      `the .sinter file has format ${format}, this version reads up to ${formatVersion}; update sinter`,
    );
  const manifestBytes = view.getUint32(12, true);
  if (format === 0 || manifestBytes > longestManifest || head.subarray(48).some((byte) => byte !== 0))
    throw new ArtifactError('damaged', 'the .sinter file is damaged: its head is not what was written; fetch it again');
  return { manifestBytes, hash: hex(head.subarray(16, 48)) };
}

/** The manifest in bytes whose hash is right. Parts must lie one behind the other, so that nothing is read that is not there. */
export function parseManifest(json: Uint8Array): Manifest {
  const manifest = JSON.parse(new TextDecoder().decode(json)) as Manifest;
  let end = 0;
  manifest.parts.forEach(({ file, offset, bytes, sha256: hashes }, i) => {
    const expected = file === undefined ? end : 0;
    if (!Number.isSafeInteger(bytes) || offset !== expected || hashes.length !== Math.ceil(bytes / pieceBytes))
      throw nonsense(`part ${i} lies at ${offset} and has ${bytes} bytes with ${hashes.length} hashes`);
    if (file === undefined) end += padded(bytes);
  });
  return manifest;
}

/** The part of a number. */
export function partOf({ parts }: Manifest, number: number): Part {
  return parts[number] ?? fail(nonsense(`there is no part ${number}`));
}

function nonsense(what: string): ArtifactError {
  return new ArtifactError('damaged', `the manifest makes no sense: ${what}; build the artifact again`);
}

function fail(error: Error): never {
  throw error;
}
