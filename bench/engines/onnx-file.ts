/** Makes a work's model file in a process of its own, so that its making is not in the reader's peak memory. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Work } from '../harness/work.ts';

/** The bytes of the model file. */
export function modelOf(work: Work): Uint8Array {
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
