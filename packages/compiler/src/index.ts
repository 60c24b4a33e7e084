/**
 * Graph in, plan out: the passes, the loop language, and what a backend is.
 *
 * @packageDocumentation
 */
export * from './artifact/index.ts';
export type { Backend, LoadOptions } from './backend.ts';
export type { AllocStmt, BarrierStmt, ForStmt, IfStmt, Kernel, KernelBuffer, LetStmt, LoadExpr, LoopExpr, LoopKind, Stmt, StoreStmt } from './loop.ts';
export { bodyOf, exprsOf, load, loop, store } from './loop.ts';
export type { Plan } from './plan.ts';
export type { Feature, Target } from './target.ts';
