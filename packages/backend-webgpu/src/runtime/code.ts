/** What an artifact of this backend carries in `code`: written by `build`, read by `load`. */
import type { Expr } from '@sinter/ir';
import type { Artifact } from '@sinter/compiler/artifact';
import { ArtifactError, codeOf } from '@sinter/compiler/artifact';

/** The `backend` of our artifacts. */
export const backendName = 'webgpu';

/** The parts of `code`: all modules one after the other, and a table of the kernels. */
export const parts = { text: 'kernels.wgsl', table: 'kernels.json' } as const;

/** A kernel in the table. Kernels are in the order of the artifact's `kernels`. */
export interface KernelEntry {
  /** Where its module stands in the text, in bytes. */
  readonly from: number;
  readonly to: number;
  /** The name of the entry point. */
  readonly entry: string;
  readonly workgroup: readonly [number, number, number];
  /** The number of workgroups, over the run-time sizes. */
  readonly grid: Expr;
  /** The number of storage buffers; they are bound from 1 on, after the run-time sizes. */
  readonly bindings: number;
}

/** A kernel that can be loaded. */
export interface KernelCode extends KernelEntry {
  readonly name: string;
  readonly text: string;
}

/** The parts of a new artifact. */
export function packCode(
  kernels: readonly (Omit<KernelCode, 'from' | 'to'> & { readonly text: string })[],
): Artifact['code'] {
  let text = '';
  let at = 0;
  const encoder = new TextEncoder();
  const table = kernels.map(({ text: code, entry, workgroup, grid, bindings }): KernelEntry => {
    const from = at;
    text += code;
    at += encoder.encode(code).length;
    return { from, to: at, entry, workgroup, grid, bindings };
  });
  return { [parts.text]: encoder.encode(text), [parts.table]: encoder.encode(JSON.stringify(table)) };
}

/** The kernels of an artifact; an `ArtifactError` if it is not ours or incomplete. */
export function unpackCode(artifact: Artifact): KernelCode[] {
  const { name, kernels } = artifact;
  const { [parts.text]: text, [parts.table]: table } = codeOf(artifact, backendName, [parts.text, parts.table]);
  const decoder = new TextDecoder();
  try {
    const entries = JSON.parse(decoder.decode(table)) as KernelEntry[];
    return kernels.map((kernel, i) => {
      const { from, to } = entries[i]!;
      if (to > text.length) throw new Error(`'${kernel}' is missing`);
      return { ...entries[i]!, name: kernel, text: decoder.decode(text.subarray(from, to)) };
    });
  } catch (error) {
    throw new ArtifactError('damaged', `the kernels of '${name}': ${(error as Error).message}; build it again`);
  }
}
