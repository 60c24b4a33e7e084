/** Sinter as it is deployed: a model that was compiled before, weights and all in one file. */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { fileSource, loadBundle } from '@sinter/compiler/artifact';
import { driveProgram } from '../drive/program.ts';
import { files, tensorsIn } from '../harness/files.ts';
import { serve } from '../harness/serve.ts';
import { versionOf } from './version.ts';

await serve('sinter', async (work, _program, threads, folder) => {
  if (folder === undefined) throw new Error('say where the file lies: --files=FOLDER');
  const native = process.argv.includes('native');
  const runtime = native
    ? (await import('@sinter/backend-cpu/runtime/native')).nativeRuntime({ threads })
    : (await import('@sinter/backend-cpu/runtime')).cpuRuntime({ threads });
  const file = await open(join(folder, native ? files.native : files.sinter));
  const { programs } = await loadBundle(fileSource(file), runtime);
  const version = `sinter ${versionOf('../../packages/backend-cpu')}`;
  return { ...driveProgram(programs['main']!, work, tensorsIn(folder, work)), version };
});
