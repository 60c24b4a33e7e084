/**
 * A file of Node as a source of bytes. It is opened for each read of a megabyte and closed again, so that nothing has to be
 * closed afterwards. Node is asked for when it is needed: browsers load this text too.
 */
import type { ByteSource } from '@sinter/compiler/artifact';
import { ArtifactError, fileSource } from '@sinter/compiler/artifact';

/** The file at a path; files beside lie in its folder. @throws ArtifactError `source`, when it is read, if it cannot be */
export function pathSource(path: string): ByteSource {
  const [fs, { dirname, join }] = [process.getBuiltinModule('node:fs/promises'), process.getBuiltinModule('node:path')];
  const unreadable = (cause: unknown): never => {
    const { code, message } = cause as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${code ?? message})`;
    throw new ArtifactError('source', `${path}: ${why}`, { cause });
  };
  const file = {
    async read(buffer: Uint8Array, offset: number, length: number, position: number) {
      const handle = await fs.open(path).catch(unreadable);
      try {
        return await handle.read(buffer, offset, length, position).catch(unreadable);
      } finally {
        await handle.close();
      }
    },
    stat: () => fs.stat(path).catch(unreadable),
  };
  return fileSource(file, { name: path, beside: (name) => pathSource(join(dirname(path), name)) });
}
