/** The backend where the caller names none: the CPU, if its package is installed. Nothing here depends on it, by types or by bundling. */
import { BackendError } from '@sinter/compiler';
import type { Backend } from '@sinter/compiler';

const name: string = '@sinter/backend-cpu';

/**
 * The CPU backend, as native code where there is a C compiler (`cpu({ target: 'auto' })`). For callers who leave the choice to the library.
 *
 * @throws BackendError if `@sinter/backend-cpu` is not installed
 */
export async function defaultBackend(): Promise<Backend> {
  try {
    const peer = (await import(/* @vite-ignore */ name)) as { cpu(options?: { target: 'auto' }): Backend };
    return peer.cpu({ target: 'auto' });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ERR_MODULE_NOT_FOUND' || !message.includes(name)) throw error;
    throw new BackendError(`there is no backend: pass one as \`backend\`, or npm install ${name}`, { cause: error });
  }
}

let usual: Promise<Backend> | undefined;

/** The backend that a caller names, else one {@link defaultBackend} for all who name none. */
export async function backendOr(named: Backend | undefined): Promise<Backend> {
  return named ?? (usual ??= defaultBackend());
}
