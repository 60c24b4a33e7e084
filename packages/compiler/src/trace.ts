/**
 * Profiled runs as a trace file for Perfetto and chrome://tracing ("Trace Event Format", Google 2016): a row of kernels, one after
 * the other, each with its work and what it reached.
 */
import type { StepTime } from './artifact/program.ts';
import type { Explanation } from './explain.ts';

/** One complete event; times are in microseconds. */
interface TraceEvent {
  readonly name: string;
  readonly cat: 'kernel' | 'run';
  readonly ph: 'X';
  readonly ts: number;
  readonly dur: number;
  readonly pid: number;
  readonly tid: number;
  readonly args: Readonly<Record<string, number | string>>;
}

/**
 * The text of a `.json` trace of one or more profiled runs ({@link Program.profile}). With the explanation of the plan each kernel carries its
 * floating-point operations, bytes of memory traffic and rates.
 */
export function traceFile(
  name: string,
  runs: readonly (readonly StepTime[])[],
  explanation?: Pick<Explanation, 'steps'>,
): string {
  const events: TraceEvent[] = [];
  let now = 0;
  runs.forEach((steps, run) => {
    const begin = now;
    for (const { step, kernel, ms } of steps) {
      const known = explanation?.steps[step];
      const seconds = Math.max(ms, 1e-6) / 1e3;
      const args = known && {
        flops: known.flops,
        bytes: known.bytes,
        'GFLOP/s': round(known.flops / seconds / 1e9),
        'GB/s': round(known.bytes / seconds / 1e9),
        stores: known.stores.join('; '),
      };
      events.push({
        name: kernel,
        cat: 'kernel',
        ph: 'X',
        ts: now,
        dur: ms * 1e3,
        pid: 1,
        tid: 2,
        args: { step, ...args },
      });
      now += ms * 1e3;
    }
    events.push({
      name: `${name}, run ${run}`,
      cat: 'run',
      ph: 'X',
      ts: begin,
      dur: now - begin,
      pid: 1,
      tid: 1,
      args: { run },
    });
  });
  return JSON.stringify({ displayTimeUnit: 'ms', traceEvents: events });
}

const round = (x: number): number => Math.round(x * 100) / 100;
