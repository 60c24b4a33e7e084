/**
 * The steps that are run once: the leading ones of a plan, which depend on constants and on state that no run of the program changes.
 * What they write and later steps read is kept outside of the arena for as long as the program is loaded.
 */
import type { PlanBuffer, ProgramData } from './format.ts';

/**
 * A program as runtimes have it that run its leading steps once: buffers that those write and later steps read have the role `prepared`,
 * and so are not in the arena.
 */
export function keepPrepared<P extends Pick<ProgramData, 'buffers' | 'prepare'>>(program: P): P {
  const { buffers, prepare = 0 } = program;
  const isKept = ({ role, live }: PlanBuffer): boolean => role === 'scratch' && live[0] < prepare && live[1] >= prepare;
  return { ...program, buffers: buffers.map((b) => (isKept(b) ? { ...b, role: 'prepared' } : b)) };
}

/** The names of the state that a program's leading steps read: when one of these changes, the steps must run again. */
export function preparedFrom({
  state,
  steps,
  prepare = 0,
}: Pick<ProgramData, 'state' | 'steps' | 'prepare'>): string[] {
  const read = new Set(steps.slice(0, prepare).flatMap(({ buffers }) => buffers));
  return Object.keys(state).filter((name) => read.has(state[name]!.buffer));
}
