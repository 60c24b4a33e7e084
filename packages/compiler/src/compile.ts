/** The whole way: graph, plan, artifact, program. */
import type { Graph } from '@sinter/ir';
import type { Artifact } from './artifact/format.ts';
import type { Program, StateHandle } from './artifact/program.ts';
import type { Backend, CodeOptions } from './backend.ts';
import type { Cache } from './cache/cache.ts';
import { cached } from './cache/cached.ts';
import { artifactKey } from './cache/key.ts';
import type { PlanOptions } from './make-plan.ts';
import { makePlan } from './make-plan.ts';
import { originsOf, updatesOf } from './origins.ts';
import type { Region } from './region.ts';
import { schedulesOf } from './schedule/kernel-shape.ts';
import type { Tuning } from './tune/tune-graph.ts';
import { schedulesFor } from './tune/tune-graph.ts';

/** Options of {@link build}. */
export interface BuildOptions extends PlanOptions {
  /**
   * Where artifacts are kept: one that was built before, from an equal graph with equal options for an equal target, is not built again.
   * Not asked with `trace`, with functions among the options, for graphs with ops of your own, and for backends without a `version`. Default: none.
   */
  readonly cache?: Cache | undefined;
  /**
   * Whether kernels are cut as measurements on this machine say. `true`, or {@link TuneOptions}: what the cache does not know is
   * measured now, which needs the device that programs run on. `'cached'`: what the cache knows is used. Default: `false`.
   */
  readonly tune?: Tuning;
}

/** Options of {@link compile}. */
export interface CompileOptions extends BuildOptions {
  /** State of a program that is already loaded: tensors of the same name are shared. */
  readonly state?: StateHandle;
}

/**
 * Builds without loading: what an ahead-of-time compiler calls. Needs no device. The artifact tells which state a run
 * changes, and for each kernel which tensors of the graph it computes.
 */
export async function build(g: Graph, backend: Backend, options: BuildOptions = {}): Promise<Artifact> {
  return buildFor(g, backend, options, {});
}

/** Compiles a graph and loads it: `load(await build(plan))`. */
export async function compile(g: Graph, backend: Backend, options: CompileOptions = {}): Promise<Program> {
  const { state, ...how } = options;
  return backend.load(await buildFor(g, backend, how, { portable: false }), state ? { state } : {});
}

/** Takes the artifact from the cache, or makes it. */
async function buildFor(
  g: Graph,
  backend: Backend,
  { cache, tune = false, ...options }: BuildOptions,
  code: CodeOptions,
): Promise<Artifact> {
  const schedules = await schedulesFor(g, backend, tune, options, cache);
  const plan = { ...options, ...(schedules && { schedules }) };
  const { name, version, target } = backend;
  const key =
    cache && version !== undefined && !plan.trace
      ? await artifactKey(g, { name, version, target, plan, code })
      : undefined;
  const make = async (): Promise<Artifact> => {
    const claims = backend.claims && ((region: Region): boolean => backend.claims!(region));
    const planned = makePlan(g, target, { ...(claims && { claims }), ...plan });
    const artifact = await backend.build(planned.plan, code);
    return { updates: updatesOf(planned.plan), origins: originsOf(planned), ...schedulesOf(planned), ...artifact };
  };
  return cache && key !== undefined ? cached(cache, key, make) : make();
}
