/** The part of an artifact that says how to run its kernels, as JSON. */
import type { Data } from '@sinter/ir';
import { ArtifactError } from './errors.ts';
import type { Artifact, BufferRole, PlanBuffer, Ports } from './format.ts';
import type { ManifestEntry, Manifest, TensorInfo } from './manifest.ts';
import { asElements } from './safetensors.ts';
import type { SizeJson } from './size.ts';
import { sizeFromJson, sizeToJson } from './size.ts';

interface PlanJson {
  readonly kernels: readonly string[];
  readonly origins?: readonly (readonly string[])[];
  readonly buffers: readonly {
    readonly name: string;
    readonly dtype: PlanBuffer['dtype'];
    readonly length: SizeJson;
    readonly role: BufferRole;
    readonly live: readonly [number, number];
  }[];
  /** Per step: the kernel, then its buffers. */
  readonly steps: readonly (readonly number[])[];
  /** The buffers of inputs, outputs and state, by name. */
  readonly inputs: Readonly<Record<string, number>>;
  readonly outputs: Readonly<Record<string, number>>;
  readonly state: Readonly<Record<string, number>>;
}

const bufferOf = (ports: Ports): Record<string, number> =>
  Object.fromEntries(Object.entries(ports).map(([name, { buffer }]) => [name, buffer]));

/** What of an artifact stands neither in the manifest nor in parts of its own. */
export function encodePlan(artifact: Artifact): Uint8Array {
  const { kernels, origins, buffers, steps, inputs, outputs, state } = artifact;
  const json: PlanJson = {
    kernels,
    ...(origins && { origins }),
    buffers: buffers.map((b) => ({ ...b, length: sizeToJson(b.length) })),
    steps: steps.map((step) => [step.kernel, ...step.buffers]),
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
  const { kernels, origins, buffers, steps, ...ports } = JSON.parse(
    new TextDecoder().decode(part(entry.plan)),
  ) as PlanJson;
  const portsOf = (
    infos: Readonly<Record<string, TensorInfo>>,
    names: readonly string[],
    at: PlanJson['state'],
  ): Ports => Object.fromEntries(names.map((name) => [name, { ...pick(infos[name]!), buffer: at[name]! }]));
  const dtypes = new Map(buffers.map((b) => [b.name, b.dtype]));
  const constants = Object.entries(entry.constants).map(([name, index]): [string, Data] => {
    const dtype = dtypes.get(name);
    if (!dtype)
      throw new ArtifactError(
        'damaged',
        `program '${entry.program}': its plan has no constant '${name}'; build it again`,
      );
    return [name, asElements(dtype, part(index))];
  });
  return {
    format: 1,
    backend: manifest.backend,
    name: entry.program,
    dims: entry.dims,
    inputs: portsOf(entry.inputs, Object.keys(entry.inputs), ports.inputs),
    outputs: portsOf(entry.outputs, Object.keys(entry.outputs), ports.outputs),
    state: portsOf(manifest.state, entry.state, ports.state),
    buffers: buffers.map((b) => ({ ...b, length: sizeFromJson(b.length) })),
    steps: steps.map(([kernel, ...of]) => ({ kernel: kernel!, buffers: of })),
    constants: Object.fromEntries(constants),
    kernels,
    code: Object.fromEntries(Object.entries(entry.code).map(([name, index]) => [name, part(index)])),
    ...(entry.requires && { requires: entry.requires }),
    ...(entry.updates && { updates: entry.updates }),
    ...(origins && { origins }),
  };
}

const pick = ({ dtype, shape }: TensorInfo): TensorInfo => ({ dtype, shape });
