/** Makes a work's model file in a process of its own, so that its making is not in the reader's peak memory. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { files } from '../harness/files.ts';
import type { Work } from '../harness/work.ts';

/** The bytes of the model file, from a folder where it lies. */
export function modelOf(work: Work, given?: string): Uint8Array {
  if (given) return readFileSync(join(given, files.onnx));
  const folder = mkdtempSync(join(tmpdir(), 'sinter-bench-'));
  try {
    const file = join(folder, 'model.onnx');
    const exporter = fileURLToPath(new URL('onnx-export.ts', import.meta.url));
    execFileSync(process.execPath, [...process.execArgv, exporter, work.name, file]);
    return readFileSync(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
