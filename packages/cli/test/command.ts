/** Runs the real binary in a process of its own. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** How a process ended. */
export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

/** `sinter` with arguments. */
export function sinter(...args: string[]): Promise<Ended> {
  return node(undefined, '--conditions=@sinter/source', '--import', import.meta.resolve('tsx'), main, ...args);
}

/** Node with arguments, in a folder, without the settings of this process. */
export function node(cwd: string | undefined, ...args: string[]): Promise<Ended> {
  const { NODE_OPTIONS: _, FORCE_COLOR: __, ...env } = process.env;
  return new Promise((resolve) => {
    const options = { env, timeout: 120_000, maxBuffer: 1 << 26, ...(cwd !== undefined && { cwd }) };
    execFile(process.execPath, args, options, (error, out, err) => {
      resolve({ code: error ? Number(error.code ?? -1) : 0, out, err });
    });
  });
}
