/** What the names of a kernel are in C, and what is known of them while it is printed. */
import type { LoopExpr } from '@sinter/compiler';
import { BackendError } from '@sinter/compiler';
import type { DType } from '@sinter/ir';
import { isFloat } from '@sinter/ir';
import type { Linear } from './linear.ts';

/** A buffer or private array: a C pointer or array of elements. */
export interface Memory {
  readonly k: 'memory';
  readonly c: string;
  readonly dtype: DType;
}
/** Private storage in C variables: one for each element, or one vector for each `lanes` of them. */
export interface Registers {
  readonly k: 'registers';
  readonly name: string;
  readonly dtype: DType;
  readonly lanes: number;
  readonly variables: readonly string[];
}
/** What expressions load from and stores write to. */
export type Place = Memory | Registers;

/** A scalar that has a name: a number, or a C variable. `wide`: an index, kept in 64 bits, whose low 32 are the value. */
export type Value = number | { readonly c: string; readonly wide: boolean };
/** A `let` of a vector loop that differs between lanes. `loads`: its value may have changed if computed again. */
export interface Varying {
  readonly c: string;
  readonly value: LoopExpr;
  readonly loads: boolean;
}
/** The vector loop around: lane `l` is the iteration `first + l`. */
export interface VectorLoop {
  readonly counter: string;
  readonly lanes: number;
  readonly first: Linear;
  /** How many lanes there are iterations for, where not all. */ readonly rest: string | undefined;
  /** Whether an element in memory was touched by itself: not possible where there is no iteration. */ scattered: boolean;
  readonly lets: Map<string, Varying>;
  readonly varies: Map<LoopExpr, boolean>;
}

/** The names in sight, and the text so far. */
export interface Scope {
  readonly kernel: string;
  readonly values: Map<string, Value>;
  readonly places: Map<string, Place>;
  vector: VectorLoop | undefined;
  /** A C name that is not in use, like `name`. */ fresh(name: string): string;
  line(text: string): void;
  /** Lines between braces. */ block(head: string, body: () => void): void;
  /** Does `body` and takes back the names that it has added; C's own names are never used twice. */
  scoped(body: () => void): void;
  /** The same, but if `body` says no, nothing was printed. */
  attempt(body: () => boolean): boolean;
  fail(problem: string): never;
}

/** The C type of a value of a dtype. Integers below 32 bits are computed in `i32`, flags too: 0 or 1. */
export function valueType(dtype: DType): 'f32' | 'u32' | 'i32' {
  return isFloat(dtype) ? 'f32' : dtype === 'u32' ? 'u32' : 'i32';
}
/** The C type of several values of a dtype. A flag is a mask there: −1 or 0. */
export function vectorType(dtype: DType, lanes: number): string {
  return `${valueType(dtype)}x${lanes}`;
}
/** The C type of an element in memory. */
export function elementType(dtype: DType): string {
  return dtype === 'bool' ? 'u8' : dtype === 'f16' || dtype === 'bf16' ? 'u16' : dtype;
}

// prettier-ignore
const reserved = new Set([
  'auto', 'break', 'case', 'char', 'const', 'continue', 'default', 'do', 'double', 'else', 'enum', 'extern', 'float', 'for', 'goto',
  'if', 'inline', 'int', 'long', 'register', 'restrict', 'return', 'short', 'signed', 'sizeof', 'static', 'struct', 'switch',
  'typedef', 'union', 'unsigned', 'void', 'volatile', 'while', 'asm', 'typeof', 'linux', 'unix',
  'f32', 'i32', 'u32', 'i8', 'u8', 'u16', 'idx', 'take', 'b', 'd', 'crew', 'main', 'I', 'INLINE',
]);

/** A scope at the start of a kernel. */
export function newScope(kernel: string, indent = 1): Scope & { readonly text: () => string } {
  const taken = new Set(reserved);
  const lines: string[] = [];
  let depth = indent;
  const scope: Scope = {
    kernel,
    values: new Map(),
    places: new Map(),
    vector: undefined,
    fresh(name) {
      const base = name
        .replace(/^_+/, '')
        .replace(/\W/g, '_')
        .replace(/^(?=\d|$)/, 'x');
      let free = base;
      for (let i = 1; taken.has(free); i++) free = /\d$/.test(base) ? `${base}_${i}` : `${base}${i}`;
      taken.add(free);
      return free;
    },
    line: (text) => lines.push('  '.repeat(depth) + text),
    block(head, body) {
      scope.line(`${head} {`);
      depth++;
      scope.scoped(body);
      depth--;
      scope.line('}');
    },
    scoped(body) {
      const [values, places] = [new Map(scope.values), new Map(scope.places)];
      body();
      restore(scope.values, values);
      restore(scope.places, places);
    },
    attempt(body) {
      const before = lines.length;
      let kept = false;
      scope.scoped(() => (kept = body()));
      if (!kept) lines.length = before;
      return kept;
    },
    fail(problem) {
      throw new BackendError(`kernel '${kernel}': ${problem}`);
    },
  };
  return Object.assign(scope, { text: () => lines.join('\n') });
}

function restore<V>(map: Map<string, V>, to: ReadonlyMap<string, V>): void {
  map.clear();
  for (const [name, value] of to) map.set(name, value);
}
