/** The packages that are used where they are installed and nothing else is passed in: a backend and a log. */
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Backend } from '@sinter/compiler';
import type { TrainingArguments } from './arguments.ts';
import { TrainerError } from './errors.ts';
import type { Sink } from './model.ts';

/** The CPU backend. @throws TrainerError if it is not installed */
export async function defaultBackend(): Promise<Backend> {
  const peer = await optional<{ cpu(): Backend | Promise<Backend> }>('@sinter/backend-cpu');
  if (!peer)
    throw new TrainerError(
      'there is no backend: pass one (new Trainer({ backend, … })), or npm install @sinter/backend-cpu',
    );
  return peer.cpu();
}

/** A TensorBoard writer, if `report_to` asks for one. @throws TrainerError if it asks by name and there is none */
export async function defaultSink(args: TrainingArguments): Promise<Sink | undefined> {
  const to = [args.report_to].flat() as readonly string[];
  if (to.includes('none') || to.length === 0) return undefined;
  const peer = await optional<{ createFileWriter(folder: string): Sink }>('@sinter/logger');
  if (peer) return peer.createFileWriter(args.logging_dir ?? join(args.output_dir, 'runs', runName(new Date())));
  if (to.includes('all')) return undefined;
  throw new TrainerError(
    `report_to: 'tensorboard' wants a log: pass one (new Trainer({ sink, … })), or npm install @sinter/logger`,
  );
}

/** The name of a run as transformers makes it: `Jul15_18-03-59_host`. */
function runName(at: Date): string {
  const two = (x: number): string => String(x).padStart(2, '0');
  const month = at.toLocaleString('en', { month: 'short' });
  return `${month}${two(at.getDate())}_${two(at.getHours())}-${two(at.getMinutes())}-${two(at.getSeconds())}_${hostname()}`;
}

/** A package that may not be installed. Its name is a value: this package does not depend on it, by types or by bundling. */
async function optional<T>(name: string): Promise<T | undefined> {
  try {
    return (await import(name)) as T;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ERR_MODULE_NOT_FOUND' && message.includes(name)) return undefined;
    throw error;
  }
}
