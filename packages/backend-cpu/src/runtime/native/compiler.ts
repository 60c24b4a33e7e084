/** Finds the system's C compiler, and asks it what machine this is. */
import type * as childProcess from 'node:child_process';
import type * as crypto from 'node:crypto';
import type * as fs from 'node:fs';
import type * as module from 'node:module';
import type * as os from 'node:os';
import type * as path from 'node:path';
import { BackendError } from '@sinter/compiler/artifact';

/** A C compiler that works here. */
export interface CCompiler {
  /** What it is called by: a name that is looked up in `PATH`, or a path. */ readonly command: string;
  /** What makes it compile for this machine, and what only this compiler knows. */ readonly machineFlags: readonly string[];
  /** All that it has defined from the start: its version, and what this machine can do. */ readonly macros: string;
  /** Whether a macro is among them. */ defines(macro: string): boolean;
}

/** How code is compiled. Reals mean what IEEE 754 says, integers wrap. Loops are vectors already: `-O3` takes longer and gains nothing. */
export const flags: readonly string[] = [
  '-std=gnu11',
  '-O2',
  '-fwrapv',
  '-fno-math-errno',
  '-fno-trapping-math',
  '-ffp-contract=off',
  '-fno-tree-vectorize',
  '-fvisibility=hidden',
  '-fPIC',
  '-Wno-psabi',
  '-pthread',
];

const candidates = ['cc', 'gcc', 'clang'];
const found = new Map<string, CCompiler | BackendError>();

/** The modules of Node that native code is compiled and loaded with. */
interface Builtins {
  'node:child_process': typeof childProcess;
  'node:crypto': typeof crypto;
  'node:fs': typeof fs;
  'node:module': typeof module;
  'node:os': typeof os;
  'node:path': typeof path;
}

/** One of Node's modules, asked for when it is needed: this file is also loaded where there is no Node. */
export function builtin<Name extends keyof Builtins>(name: Name): Builtins[Name] {
  const get = typeof process === 'undefined' ? undefined : process.getBuiltinModule;
  if (!get) throw new BackendError("cpu: target 'native' needs Node 20.16 or newer; use target 'wasm' here");
  return get(name) as unknown as Builtins[Name];
}

/**
 * The compiler `cc` (a command or a path), or the first of `cc`, `gcc` and `clang` that works. Each is asked once.
 *
 * @throws BackendError that says what was tried, and what to install.
 */
export function findCompiler(cc?: string): CCompiler {
  const key = `${cc ?? ''} ${process.env['PATH'] ?? ''}`;
  let known = found.get(key);
  if (!known) {
    known = search(cc);
    found.set(key, known);
  }
  if (known instanceof BackendError) throw known;
  return known;
}

function search(cc: string | undefined): CCompiler | BackendError {
  const problems: string[] = [];
  for (const command of cc === undefined ? candidates : [cc]) {
    for (const machineFlags of [['-march=native'], ['-mcpu=native'], []]) {
      const args = [...machineFlags, '-dM', '-E', '-x', 'c', '-'];
      const { error, status, stdout, stderr } = builtin('node:child_process').spawnSync(command, args, {
        input: '',
        encoding: 'utf8',
      });
      if (error) {
        problems.push(
          `${command}: ${(error as NodeJS.ErrnoException).code === 'ENOENT' ? 'not found' : error.message}`,
        );
        break;
      }
      if (status === 0) return describe(command, machineFlags, stdout);
      if (machineFlags.length === 0)
        problems.push(`${command}: ${stderr.trim().split('\n')[0] ?? `ends with ${status}`}`);
    }
  }
  return new BackendError(
    `cpu: target 'native' needs a C compiler (${problems.join('; ')}); install gcc or clang, name one with cc: '/path/to/cc', or use target 'wasm'`,
  );
}

function describe(command: string, machineFlags: readonly string[], macros: string): CCompiler {
  const names = new Set(macros.split('\n').map((line) => line.split(' ')[1]));
  // Accumulators stay in registers in inner loops, whatever outer loops want to keep there: gcc sees that only if told to.
  const own = names.has('__clang__') ? [] : ['-fira-region=all'];
  return { command, machineFlags: [...machineFlags, ...own], macros, defines: (macro) => names.has(macro) };
}
