/**
 * A process of its own that loads a GPT-2 and prints how much memory that took at most: `node … memory.test.kit.ts FOLDER`. Linux alone lets a
 * process begin the count anew.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { GPT2LMHeadModel } from '../families/gpt2.ts';

/** What is printed as JSON, in bytes. */
export interface MemoryReport {
  /** Of the process before. */
  readonly before: number;
  /** The most that the process had until the model was loaded. */
  readonly peak: number;
  /** The weights as they are in memory. */
  readonly weights: number;
}

const bytesOf = (field: string): number =>
  1024 * Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))![1]);

const folder = process.argv[2];
if (folder !== undefined) {
  writeFileSync('/proc/self/clear_refs', '5');
  const before = bytesOf('VmRSS');
  const model = await GPT2LMHeadModel.from_pretrained(folder);
  const weights = [...model.tensors().values()].reduce((sum, { data }) => sum + data.byteLength, 0);
  process.stdout.write(JSON.stringify({ before, peak: bytesOf('VmHWM'), weights } satisfies MemoryReport));
}
