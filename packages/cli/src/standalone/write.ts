/** Writes the standalone module of an artifact and its types, beside the `.sinter` file. */
import type { Bundle } from '@sinter/compiler/artifact';
import { UsageError } from '../errors.ts';
import type { WrittenFile } from '../files.ts';
import { writeText } from '../files.ts';
import { bundleStandalone } from './bundle.ts';
import { declarations, typeName } from './declarations.ts';

/** Members of a model that an entry point must not hide; a `then` would make it a promise. */
const reserved = ['state', 'file', 'close', 'then'];

/** Checks that entry points can be functions of a module. @throws UsageError */
export function checkEntryNames(names: readonly string[]): void {
  names.forEach((name, i) => {
    if (reserved.includes(name))
      throw new UsageError(`--standalone: an entry point cannot be called '${name}'; name it with --entry`);
    const same = names.findIndex((other) => typeName(other) === typeName(name));
    if (same !== i)
      throw new UsageError(
        `--standalone: '${names[same]}' and '${name}' would have the same types; name one with --entry`,
      );
  });
}

/** Writes `name.mjs` and `name.d.mts`. @throws CliError for a backend without a standalone form */
export async function writeStandalone({ name, entries, files = {} }: Bundle, folder: string): Promise<WrittenFile[]> {
  const { backend } = Object.values(entries)[0]!;
  const code = await bundleStandalone(backend, `./${name}.sinter`);
  return [
    await writeText(folder, `${name}.mjs`, code),
    await writeText(folder, `${name}.d.mts`, declarations({ name, backend, entries, files: Object.keys(files) })),
  ];
}
