/** The CPU backends that this machine has: WebAssembly, and native code where there is a C compiler. */
import { cpu } from '@sinter/backend-cpu';
import type { Backend } from '@sinter/compiler';

/** The backends, on one thread. */
export const cpus: readonly Backend[] = [cpu({ target: 'wasm', threads: 1 }), ...native()];

function native(): Backend[] {
  try {
    return [cpu({ target: 'native', threads: 1 })];
  } catch (error) {
    console.warn(`skipped: native code (${(error as Error).message})`);
    return [];
  }
}
