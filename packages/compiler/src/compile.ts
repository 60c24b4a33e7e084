/** The whole way: graph, plan, artifact, program. */
import type { Graph } from '@sinter/ir';
import type { Artifact } from './artifact/format.ts';
import type { Program, StateHandle } from './artifact/program.ts';
import type { Backend } from './backend.ts';
import type { PlanOptions } from './make-plan.ts';
import { makePlan } from './make-plan.ts';
import { originsOf, updatesOf } from './origins.ts';
import type { Region } from './region.ts';

/** Options of {@link compile}. */
export interface CompileOptions extends PlanOptions {
  /** State of a program that is already loaded: tensors of the same name are shared. */
  readonly state?: StateHandle;
}

/**
 * Builds without loading: what an ahead-of-time compiler calls. Needs no device. The artifact tells which state a run
 * changes, and for each kernel which tensors of the graph it computes.
 */
export async function build(g: Graph, backend: Backend, options: PlanOptions = {}): Promise<Artifact> {
  const claims = backend.claims && ((region: Region): boolean => backend.claims!(region));
  const planned = makePlan(g, backend.target, { ...(claims && { claims }), ...options });
  const artifact = await backend.build(planned.plan);
  return { updates: updatesOf(planned.plan), origins: originsOf(planned), ...artifact };
}

/** Compiles a graph and loads it: `load(await build(plan))`. */
export async function compile(g: Graph, backend: Backend, options: CompileOptions = {}): Promise<Program> {
  const artifact = await build(g, backend, options);
  return backend.load(artifact, options.state ? { state: options.state } : {});
}
