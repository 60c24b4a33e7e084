/** What an artifact of this backend carries in `code`: written by `build`, read by `load`. */
import type { Expr } from '@sinter/ir';
import type { Artifact } from '@sinter/compiler/artifact';
import { BackendError } from '@sinter/compiler/artifact';

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

/** The kernels of an artifact; a `BackendError` if it is not ours or incomplete. */
export function unpackCode(artifact: Artifact): KernelCode[] {
  const { format, backend, name, code, kernels } = artifact;
  if (backend !== backendName) {
    throw new BackendError(
      `artifact '${name}' was built for the backend '${backend}', not for '${backendName}'; load it there or build it again`,
    );
  }
  if (format !== 1)
    throw new BackendError(
      `artifact '${name}' has format ${String(format)}, this version reads format 1; build it again`,
    );
  const [text, table] = [code[parts.text], code[parts.table]];
  if (!text || !table) {
    throw new BackendError(
      `artifact '${name}' is incomplete: it carries ${Object.keys(code).join(', ') || 'no code'}; needed: ${Object.values(parts).join(', ')}`,
    );
  }
  const decoder = new TextDecoder();
  let entries: readonly KernelEntry[];
  try {
    entries = JSON.parse(decoder.decode(table)) as KernelEntry[];
  } catch (error) {
    throw new BackendError(`artifact '${name}' is damaged: ${(error as Error).message}; build it again`);
  }
  if (entries.length !== kernels.length || entries.some((e) => !(e.from <= e.to && e.to <= text.length)))
    throw new BackendError(`artifact '${name}' is damaged: its table of kernels does not fit its code; build it again`);
  return entries.map((e, i) => ({ ...e, name: kernels[i]!, text: decoder.decode(text.subarray(e.from, e.to)) }));
}
