/** What this process and the processes it started have used of the machine. Those it started are seen on Linux only. */
import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks a second in `/proc`: fixed at 100 for what Linux tells programs. */
const TICKS = 100;

/** Starts now; returns the number of cores kept busy since (processor time ÷ wall time). */
export function stopwatch(): () => number {
  const [before, start] = [cpuSeconds(), performance.now()];
  return () => (cpuSeconds() - before) / ((performance.now() - start) / 1000);
}

/** Bytes: the peaks of all processes, added up. */
export function peakRss(): number {
  // Linux counts the parent's memory in a child's `maxRSS` (it survives exec), but not in `VmHWM`.
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  const peakOf = (pid: number | 'self') =>
    Number(/VmHWM:\s+(\d+) kB/.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) * 1024;
  return peakOf('self') + started().reduce((sum, { pid }) => sum + peakOf(pid), 0);
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6 + started().reduce((sum, { seconds }) => sum + seconds, 0);
}

/** All living descendants of this process. */
function started(): readonly { readonly pid: number; readonly seconds: number }[] {
  if (process.platform !== 'linux') return [];
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => {
      // "pid (name) state parent …": the name may hold anything, a parenthesis too.
      const fields = read(`/proc/${name}/stat`).split(') ').at(-1)?.split(' ') ?? [];
      return {
        pid: Number(name),
        parent: Number(fields[1]),
        seconds: (Number(fields[11]) + Number(fields[12])) / TICKS,
      };
    });
  const family = new Set([process.pid]);
  for (let size = 0; size !== family.size;) {
    size = family.size;
    for (const { pid, parent } of all) if (family.has(parent)) family.add(pid);
  }
  return all.filter(({ pid }) => pid !== process.pid && family.has(pid));
}

/** Empty for a process that has ended meanwhile. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
