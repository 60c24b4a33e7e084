/** `sinter verify`: reads every byte of a `.sinter` file, and of the files beside it, and compares all hashes. */
import { verifyBundle } from '@sinter/compiler/artifact';
import { Command } from 'commander';
import { openSource } from '../files.ts';
import type { Io } from '../output/io.ts';
import { showBytes, showCount } from '../output/text.ts';

/** Makes the command. */
export function verifyCommand(io: Io): Command {
  return new Command('verify')
    .description('Check every byte of .sinter files, and of the files beside them, against their hashes.')
    .argument('<file...>', 'a .sinter file, or its http(s) address')
    .addHelpText(
      'after',
      '\nExits with 1 at the first byte that is not what was written.\n\nExample:\n  $ sinter verify out/*.sinter',
    )
    .action(async (files: readonly string[]) => {
      for (const file of files) await verify(io, file);
    });
}

async function verify(io: Io, file: string): Promise<void> {
  const { parts } = await verifyBundle(openSource(file), {
    onProgress: (done, total) => io.status(`verifying ${file}: ${showBytes(done)} of ${showBytes(total)}`),
  });
  io.status('');
  const beside = new Set(parts.flatMap((part) => part.file ?? []));
  const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
  const where = beside.size === 0 ? '' : `, in it and in ${[...beside].join(', ')}`;
  io.out(`${file}: every byte is what was written (${showCount(parts.length)} parts, ${showBytes(bytes)}${where})\n`);
}
