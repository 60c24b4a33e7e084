/** Runs that are stopped from outside by real signals, killed, and short of space: nothing is lost, and they end as one that was left alone. */
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { lastCheckpoint } from './checkpoint.ts';
import { readTensors } from './safetensors.ts';

const script = fileURLToPath(new URL('../test/child.ts', import.meta.url));
/** The command of a run of so many steps in a folder. */
const command = (folder: string, steps: number, ...more: string[]): string[] => [
  process.execPath,
  '--conditions=@sinter/source',
  '--import',
  'tsx',
  script,
  folder,
  String(steps),
  ...more,
];

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

/** Runs a command; `onStep` is told of every step and can send signals. */
function run(
  command: readonly string[],
  onStep: (step: number, kill: (signal: NodeJS.Signals) => void) => void = () => {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const read = (chunk: Buffer): void => {
      output += chunk.toString();
      const step = /^step (\d+)$/.exec(chunk.toString().trim().split('\n').at(-1)!);
      if (step) onStep(Number(step[1]), (signal) => child.kill(signal));
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.on('close', (code, signal) => resolve({ code, signal, output }));
  });
}

let root: string;
let whole: Record<string, number[]>;
const weights = async (folder: string): Promise<Record<string, number[]>> =>
  Object.fromEntries(
    Object.entries(await readTensors(join(folder, 'final', 'model.safetensors'))).map(([name, { data }]) => [
      name,
      [...data],
    ]),
  );

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'sinter-interrupted-'));
  const { output } = await run(command(join(root, 'whole'), 30));
  expect(output).toContain('done');
  whole = await weights(join(root, 'whole'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

test('Ctrl-C finishes the step, writes a checkpoint and says how to go on', async () => {
  const folder = join(root, 'interrupted');
  const { code, output } = await run(command(folder, 30), (step, kill) => void (step === 7 && kill('SIGINT')));
  expect(code).toBe(0);
  const [, step] = /stopped after step (\d+) of 30/.exec(output)!;
  expect(output).toContain(
    `TrainingInterruptedError: stopped after step ${step} of 30; everything is in ${folder}/checkpoint-${step}`,
  );
  expect(output).toContain(`train({ resume_from_checkpoint: "${folder}/checkpoint-${step}" })`);
  expect(output).toContain('Ctrl-C again');
  const rest = await run(command(folder, 30, 'resume'));
  expect(rest.output).toContain('done');
  expect(rest.output).not.toMatch(new RegExp(`^step ${step}$`, 'm'));
  expect(await weights(folder)).toEqual(whole);
});

test('a second Ctrl-C ends the process at once', async () => {
  const folder = join(root, 'at-once');
  let sent = 0;
  const { code, output } = await run(command(folder, 30), (step, kill) => {
    if (step !== 2 || sent++ > 0) return;
    kill('SIGINT');
    // Signals that wait are one: the second has to come when the first has arrived.
    setTimeout(() => kill('SIGINT'), 5);
  });
  expect(code).toBe(130);
  expect(output).not.toContain('TrainingInterruptedError');
});

test('a run that is killed at 50 moments, some of them while it saves, ends as one that was not', async () => {
  const steps = 200;
  const [folder, alone] = [join(root, 'killed'), join(root, 'alone')];
  // Moments by a formula that repeats itself nowhere: after the nth step of a process, and up to a step and a half later.
  const moment = (kill: number): { after: number; delay: number } => ({
    after: 2 + (kill % 3),
    delay: (kill * 17) % 31,
  });
  const beside = run(command(alone, steps));
  let saving = 0;
  for (let kill = 0; kill < 50; kill++) {
    const { after, delay } = moment(kill);
    const resume = (await lastCheckpoint(folder)) ? ['resume'] : [];
    let seen = 0;
    const { signal } = await run(
      command(folder, steps, ...resume),
      (_step, send) => void (++seen === after && setTimeout(send, delay, 'SIGKILL')),
    );
    expect(signal).toBe('SIGKILL');
    if ((await readdir(folder).catch(() => [])).some((name) => name.startsWith('tmp-'))) saving++;
  }
  expect(saving).toBeGreaterThan(0);
  const { output } = await run(command(folder, steps, 'resume'));
  expect(output).toContain('done');
  expect((await beside).output).toContain('done');
  expect(await weights(folder)).toEqual(await weights(alone));
  const state = async (path: string): Promise<unknown> => {
    const text = await readFile(join(path, `checkpoint-198`, 'trainer_state.json'), 'utf8');
    return (JSON.parse(text) as { log_history: unknown }).log_history;
  };
  expect(await state(folder)).toEqual(await state(alone));
  expect((await readdir(folder)).filter((name) => name.startsWith('tmp-'))).toEqual([]);
}, 180_000);

test.skipIf(process.platform === 'win32')('without room for a checkpoint the last good one stays', async () => {
  const folder = join(root, 'full');
  await run(command(folder, 30), (step, kill) => void (step >= 8 && kill('SIGKILL')));
  const before = (await lastCheckpoint(folder))!;
  // Files of at most 1 KiB: the weights do not fit. The signal that would kill is ignored, so that writing fails.
  const limited = ['bash', '-c', `trap '' XFSZ; ulimit -f 1; exec "$@"`, 'bash', ...command(folder, 30, 'resume')];
  const { output } = await run(limited);
  expect(output).toMatch(/TrainerError: the checkpoint \S+ could not be written: EFBIG/);
  expect(output).toContain(`The last good checkpoint is ${before}`);
  expect(await lastCheckpoint(folder)).toBe(before);
  expect((await run(command(folder, 30, 'resume'))).output).toContain('done');
  expect(await weights(folder)).toEqual(whole);
});
