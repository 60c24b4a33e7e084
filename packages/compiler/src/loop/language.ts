/**
 * The loop language: six statements in which every kernel is written, for every backend. The interpreter (`run.ts`)
 * is its living definition.
 */
import type { DType, Expr, VarExpr } from '@sinter/ir';
import { variable } from '@sinter/ir';
import type { Region } from '../region.ts';

/** Reads element `at` (a flat `i32` index) of a buffer or of an `alloc`. */
export interface LoadExpr {
  readonly k: 'load';
  readonly from: string;
  readonly at: LoopExpr;
  readonly dtype: DType;
}
/** An expression of a kernel: constants, names, scalar ops and loads. */
export type LoopExpr = Expr<LoadExpr>;

/**
 * How a loop runs. `grid`: iterations are independent and are spread over threads or workgroups. `local`: the threads of
 * a workgroup. `vector`: iterations are independent and may run as SIMD lanes; the body holds only `let` and `store`.
 * `unroll`: the count is a constant and the body is repeated. `serial`: in order.
 */
export type LoopKind = 'grid' | 'local' | 'vector' | 'unroll' | 'serial';

/** Counts `name` from 0 to `count − 1` (an `i32` expression; no iteration when it is ≤ 0). */
export interface ForStmt {
  readonly k: 'for';
  readonly name: string;
  readonly count: LoopExpr;
  readonly kind: LoopKind;
  readonly body: readonly Stmt[];
}
/** Names a value for the rest of the block; it never changes. */
export interface LetStmt {
  readonly k: 'let';
  readonly name: string;
  readonly value: LoopExpr;
}
/**
 * Private storage for the rest of the block, with undefined contents. `register`: every index is a constant once loops are unrolled
 * (or the counter of a `vector` loop plus a constant that is a multiple of the vector's lanes); `local`: a private array
 * with any index; `shared`: seen by all threads of a workgroup.
 */
export interface AllocStmt {
  readonly k: 'alloc';
  readonly name: string;
  readonly dtype: DType;
  readonly length: number;
  readonly memory: 'register' | 'local' | 'shared';
}
/** Writes element `at` of a buffer or an `alloc`. */
export interface StoreStmt {
  readonly k: 'store';
  readonly to: string;
  readonly at: LoopExpr;
  readonly value: LoopExpr;
}
/** Runs the body when a `bool` holds. */
export interface IfStmt {
  readonly k: 'if';
  readonly when: LoopExpr;
  readonly body: readonly Stmt[];
}
/** Waits for all threads of the workgroup. */
export interface BarrierStmt {
  readonly k: 'barrier';
}
/** A statement of the loop language. */
export type Stmt = ForStmt | LetStmt | AllocStmt | StoreStmt | IfStmt | BarrierStmt;

/** A buffer as a kernel sees it. `update` reads and writes. */
export interface KernelBuffer {
  readonly name: string;
  readonly dtype: DType;
  readonly access: 'read' | 'write' | 'update';
}

/**
 * One kernel. The body is any number of `let`s over run-time sizes and then at most one outermost `grid` loop. On a CPU threads
 * take its iterations from a counter. On a GPU an iteration is a workgroup: it holds `let`s, `alloc`s of shared memory, and then one
 * `local` loop over the threads of the workgroup, in which a `barrier` stands only where all threads meet it. Without a `grid`
 * loop one thread runs the body.
 */
export interface Kernel {
  readonly name: string;
  readonly buffers: readonly KernelBuffer[];
  /** The run-time sizes that the body uses as `i32` variables. */
  readonly dims: readonly string[];
  /** Threads of a workgroup, `[threads, 1, 1]`: the count of the `local` loop, 1 where there is none. */
  readonly workgroup: readonly [number, number, number];
  readonly body: readonly Stmt[];
  /** Set where the backend claimed it: it may run this its own way, and the body only says what is meant. See `Backend.claims`. */
  readonly region?: Region;
  /** What one run costs, over the run-time sizes: floating-point operations and bytes of memory traffic. */
  readonly cost: { readonly flops: Expr; readonly bytes: Expr };
}

/** A load. */
export function load(from: string, at: LoopExpr, dtype: DType): LoadExpr {
  return { k: 'load', from, at, dtype };
}
/** A loop; its body is made from its counter. */
export function loop(
  kind: LoopKind,
  name: string,
  count: LoopExpr,
  body: (counter: VarExpr) => readonly Stmt[],
): ForStmt {
  return { k: 'for', name, count, kind, body: body(variable(name)) };
}
/** A store. */
export function store(to: string, at: LoopExpr, value: LoopExpr): StoreStmt {
  return { k: 'store', to, at, value };
}

/** The statements inside of a statement. */
export function bodyOf(s: Stmt): readonly Stmt[] {
  return s.k === 'for' || s.k === 'if' ? s.body : [];
}
/** The expressions that a statement itself holds (not those of its body). */
export function exprsOf(s: Stmt): readonly LoopExpr[] {
  switch (s.k) {
    case 'for':
      return [s.count];
    case 'let':
      return [s.value];
    case 'store':
      return [s.at, s.value];
    case 'if':
      return [s.when];
    case 'alloc':
    case 'barrier':
      return [];
    default:
      return s satisfies never;
  }
}
