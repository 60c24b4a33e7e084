/** The runner's side of the protocol: an engine's process as promises. */
import { spawn } from 'node:child_process';
import type { Command, Engine } from '../engines/index.ts';
import type { Failed, First, Measure, Ready, Reply, Round } from './protocol.ts';
import type { Work } from './work.ts';

/** How long an engine may take to exit. */
const GRACE_MS = 5000;

/** A live engine that holds one work. */
export interface Peer {
  readonly engine: Engine;
  readonly ready: Ready;
  measure(request: Measure): Promise<Round>;
  close(): void;
}

/**
 * Starts the engine's process and waits until it has run the work.
 * @throws Error with the engine's own words when it cannot
 */
export async function startPeer(engine: Engine, work: Work, threads: number): Promise<Peer> {
  const { child, next, close } = launch(engine.command(work, threads));
  try {
    const ready = await next<Ready>();
    return { engine, ready, close, measure: (request) => (child.send(request), next<Round>()) };
  } catch (error) {
    close();
    throw error;
  }
}

/**
 * Starts a process that says one thing and ends, and tells after how many milliseconds it said it.
 * @throws Error with its own words when it fails
 */
export async function timeFirst<T extends Reply = First>(
  command: Command,
): Promise<{ readonly ms: number; readonly said: T }> {
  const start = performance.now();
  const { child, next, close } = launch(command);
  try {
    const said = await next<T>();
    const ms = performance.now() - start;
    if (child.exitCode === null && child.signalCode === null) await new Promise((ended) => child.once('exit', ended));
    return { ms, said };
  } finally {
    close();
  }
}

function launch({ command, args, env }: Command) {
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'], // several libraries greet on standard output
    serialization: 'json',
  });
  let complaint = '';
  child.stderr?.on('data', (text: Buffer) => (complaint = (complaint + text.toString()).slice(-2000)));

  const next = <T extends Reply>() =>
    new Promise<T>((resolve, reject) => {
      const settle = () => child.off('message', onMessage).off('exit', onExit).off('error', onError);
      const onError = (error: Error) => (settle(), reject(error));
      const onExit = () =>
        onError(
          new Error(/^.*Error: .*$/m.exec(complaint)?.[0] ?? (complaint.trim() || 'its process ended without a word')),
        );
      const onMessage = (reply: unknown) => {
        settle();
        const message = reply as T | Failed;
        if (message.kind === 'failed') reject(new Error(message.message));
        else resolve(message as T);
      };
      child.on('message', onMessage).on('exit', onExit).on('error', onError);
    });

  const close = () => {
    if (child.connected) child.disconnect(); // it exits by itself, and takes a browser with it
    setTimeout(() => child.kill('SIGKILL'), GRACE_MS).unref();
  };
  return { child, next, close };
}
