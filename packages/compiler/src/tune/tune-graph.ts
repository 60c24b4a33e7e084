/** Tuning as an option of compiling: from a graph to the schedules of its kernels, as a whole kept in the cache. */
import type { Graph } from '@sinter/ir';
import type { Backend } from '../backend.ts';
import type { Cache } from '../cache/cache.ts';
import { artifactKey } from '../cache/key.ts';
import type { PlanOptions } from '../make-plan.ts';
import { makePlan } from '../make-plan.ts';
import type { Region } from '../region.ts';
import type { Schedules } from '../schedule/kernel-shape.ts';
import type { TuneOptions } from './tune.ts';
import { tune } from './tune.ts';

/** Whether and how kernels are tuned: see `BuildOptions.tune`. */
export type Tuning = boolean | 'cached' | TuneOptions;

/** The schedules of a graph's kernels: those given, before them those that are kept of it as a whole, or what tuning finds now. */
export async function schedulesFor(
  g: Graph,
  backend: Backend,
  tuning: Tuning,
  options: PlanOptions,
  cache: Cache | undefined,
): Promise<Schedules | undefined> {
  if (tuning === false) return options.schedules;
  const how: TuneOptions = tuning === true ? {} : tuning === 'cached' ? { measure: false } : tuning;
  const key = cache && (await keyOf(g, backend, options, how));
  const kept = key === undefined || how.onShape ? undefined : await cache?.read(key);
  if (kept) return JSON.parse(new TextDecoder().decode(kept)) as Schedules;
  const claims = backend.claims && ((region: Region): boolean => backend.claims!(region));
  const planned = makePlan(g, backend.target, { ...(claims && { claims }), ...options });
  const { schedules, complete } = await tune(planned, backend, how, cache);
  const all = { ...schedules, ...options.schedules };
  if (key !== undefined && complete) await cache?.write(key, new TextEncoder().encode(JSON.stringify(all)));
  return all;
}

/** `undefined` where it cannot be told what the schedules depend on. */
async function keyOf(
  g: Graph,
  { name, version, target, machine }: Backend,
  { trace, ...plan }: PlanOptions,
  { sizes }: TuneOptions,
): Promise<string | undefined> {
  if (version === undefined || trace) return undefined;
  const key = await artifactKey(g, { name, version, target, machine: await machine?.(), plan, sizes });
  return key && `schedules ${key}`;
}
