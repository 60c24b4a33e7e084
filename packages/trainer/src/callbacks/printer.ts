/** Prints what is logged, in the words of `PrinterCallback` of transformers. */
import type { Logs, TrainerCallback } from './callback.ts';

/** Logs as one line: `{'loss': 0.5123, 'grad_norm': 1.2, 'learning_rate': 4.5e-05, 'epoch': 0.1}`, four digits each. */
export function logLine(logs: Logs): string {
  return `{${Object.entries(logs)
    .map(([key, value]) => `'${key}': ${short(value)}`)
    .join(', ')}}`;
}

/** Four significant digits, exponents as Python writes them. */
export function short(value: number): string {
  if (Number.isInteger(value)) return String(value);
  const rounded = Number(value.toPrecision(4));
  return (Math.abs(rounded) < 1e-4 ? rounded.toExponential() : String(rounded)).replace(/e([+-])(\d)$/, 'e$10$2');
}

/** Prints every log as a line. @param print - default `console.log` */
export function printerCallback(print: (line: string) => void = console.log): TrainerCallback {
  return { on_log: (_args, _state, _control, { logs = {} }) => print(logLine(logs)) };
}
