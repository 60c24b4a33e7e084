/** The part of an artifact that says how to run its kernels, as JSON. */
import { asElements } from './elements.ts';
import type { Artifact, BufferRole, PlanBuffer, Ports } from './format.ts';
import type { ManifestEntry, Manifest, TensorInfo } from './manifest.ts';
import { mapValues } from './record.ts';
import type { SizeJson } from './size.ts';
import { sizeFromJson, sizeToJson } from './size.ts';

interface PlanJson {
  readonly kernels: readonly string[];
  readonly origins?: readonly (readonly string[])[];
  readonly schedules?: NonNullable<Artifact['schedules']>;
  readonly buffers: readonly {
    readonly name: string;
    readonly dtype: PlanBuffer['dtype'];
    readonly length: SizeJson;
    readonly role: BufferRole;
    readonly live: readonly [number, number];
  }[];
  /** Per step: the kernel, then its buffers. */
  readonly steps: readonly (readonly number[])[];
  readonly prepare?: number;
  /** The buffers of inputs, outputs and state, by name. */
  readonly inputs: Readonly<Record<string, number>>;
  readonly outputs: Readonly<Record<string, number>>;
  readonly state: Readonly<Record<string, number>>;
}

const bufferOf = (ports: Ports): Record<string, number> => mapValues(ports, ({ buffer }) => buffer);

/** What of an artifact stands neither in the manifest nor in parts of its own. */
export function encodePlan(artifact: Artifact): Uint8Array {
  const { kernels, origins, schedules, buffers, steps, prepare, inputs, outputs, state } = artifact;
  const json: PlanJson = {
    kernels,
    ...(origins && { origins }),
    ...(schedules && { schedules }),
    buffers: buffers.map((b) => ({ ...b, length: sizeToJson(b.length) })),
    steps: steps.map((step) => [step.kernel, ...step.buffers]),
    ...(prepare && { prepare }),
    inputs: bufferOf(inputs),
    outputs: bufferOf(outputs),
    state: bufferOf(state),
  };
  return new TextEncoder().encode(JSON.stringify(json));
}

/** An artifact from its entry in the manifest and the bytes of its parts. */
export function decodeArtifact(
  manifest: Manifest,
  entry: ManifestEntry,
  part: (index: number) => Uint8Array,
): Artifact {
  const { buffers, steps, inputs, outputs, state, ...plan } = JSON.parse(
    new TextDecoder().decode(part(entry.plan)),
  ) as PlanJson;
  const { program: name, dims, requires, updates } = entry;
  const portsOf = (infos: Readonly<Record<string, TensorInfo>>, at: PlanJson['state']): Ports =>
    mapValues(at, (buffer, port) => ({ dtype: infos[port]!.dtype, shape: infos[port]!.shape, buffer }));
  const dtypes = new Map(buffers.map((b) => [b.name, b.dtype]));
  return {
    ...plan,
    format: 1,
    backend: manifest.backend,
    name,
    dims,
    inputs: portsOf(entry.inputs, inputs),
    outputs: portsOf(entry.outputs, outputs),
    state: portsOf(manifest.state, state),
    buffers: buffers.map((b) => ({ ...b, length: sizeFromJson(b.length) })),
    steps: steps.map(([kernel, ...of]) => ({ kernel: kernel!, buffers: of })),
    constants: mapValues(entry.constants, (number, buffer) => asElements(dtypes.get(buffer)!, part(number))),
    code: mapValues(entry.code, part),
    ...(requires && { requires }),
    ...(updates && { updates }),
  };
}
