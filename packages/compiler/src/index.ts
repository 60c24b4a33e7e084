/**
 * Graph in, plan out: the passes, the loop language, and what a backend is.
 *
 * @packageDocumentation
 */
export * from './artifact/index.ts';
export type { Backend, CodeOptions } from './backend.ts';
export type { Cache } from './cache/cache.ts';
export type {
  AllocStmt,
  BarrierStmt,
  ForStmt,
  IfStmt,
  Kernel,
  KernelBuffer,
  LetStmt,
  LoadExpr,
  LoopExpr,
  LoopKind,
  Stmt,
  StoreStmt,
} from './loop/language.ts';
export { bodyOf, exprsOf, load, loop, store } from './loop/language.ts';
export type { Plan } from './plan.ts';
export type { Region, RegionTensor } from './region.ts';
export type { Feature, Target } from './target.ts';
export type { BuildOptions, CompileOptions } from './compile.ts';
export { build, compile } from './compile.ts';
export type { Fused, FuseOptions } from './fuse/fuse.ts';
export { fuse } from './fuse/fuse.ts';
export type { Attention } from './fuse/transient.ts';
export type { Group, GroupKind } from './fuse/group.ts';
export type { PlanStep } from './assemble.ts';
export type { DimOption, Planned, PlanOptions } from './make-plan.ts';
export { makePlan } from './make-plan.ts';
export type { Pass } from './pipeline.ts';
export { passes, simplifyGraph } from './pipeline.ts';
export { traceFile } from './trace.ts';
export type { ExplainedStep, ExplainOptions, Explanation } from './explain.ts';
export { explain } from './explain.ts';
export type { LiveBuffer, MemoryTimeline } from './timeline.ts';
export { decompose } from './loop/decompose.ts';
export { interpreter } from './loop/backend.ts';
export { printExpr, printKernel, printPlan, printStmt } from './loop/print.ts';
export type { PlanArguments, PlanResult, PlanRunOptions, RunOptions } from './loop/run.ts';
export { planRunner, runKernel, runPlan } from './loop/run.ts';
export type { VerifyOptions } from './loop/verify.ts';
export { verifyKernel, verifyPlan } from './loop/verify.ts';
export type { OptimizeOptions } from './loop/optimize.ts';
export { optimize } from './loop/optimize.ts';
export type { Schedule, Schedules } from './schedule/kernel-shape.ts';
export type { CpuTile, GpuTile, Tile, TileBlocks } from './schedule/tiles.ts';
export type { Tuned, TunedShape, TuneOptions } from './tune/tune.ts';
export type { Tuning } from './tune/tune-graph.ts';
export { tune, usualSizes } from './tune/tune.ts';
