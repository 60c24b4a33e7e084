/** `sinter bench`: how long the entry points of a model take on this machine, and with `--tune` the schedules that make them quicker. */
import { Command } from 'commander';
import type { Dims, Sizes } from '../arguments/dims.ts';
import { parseDims, parseSizes } from '../arguments/dims.ts';
import { parseChoices, parseNumber } from '../arguments/lists.ts';
import type { TargetName } from '../backends.ts';
import { targetNames } from '../backends.ts';
import type { TaskName } from '../compile/source/names.ts';
import { taskNames } from '../compile/source/names.ts';
import type { Io } from '../output/io.ts';

/** The options as they stand on the command line, read. */
export interface BenchOptions {
  readonly task?: TaskName;
  readonly entry?: string;
  readonly target: TargetName;
  readonly dims: Dims;
  readonly sizes: Sizes;
  readonly rounds: number;
  readonly threads?: number;
  readonly tune?: true;
  readonly budget: number;
  readonly profile?: true;
  readonly json?: true;
}

const whole = (x: number): boolean => Number.isInteger(x) && x >= 1;

/** Makes the command. */
export function benchCommand(io: Io): Command {
  return new Command('bench')
    .description('Time the entry points of a model or a .sinter file on this machine; find better schedules.')
    .argument('<model...>', 'a model folder, a hub id, graph files, or a .sinter file')
    .option('--task <name>', `the model's head: ${taskNames.join(', ')}`, (text) =>
      only(parseChoices('--task', text, taskNames)),
    )
    .option('--entry <names>', 'entry points (default: forward; of a .sinter file all)')
    .option(
      '--target <name>',
      `${targetNames.join(', ')}; a .sinter file has its own`,
      (text) => only(parseChoices('--target', text, targetNames)),
      'cpu',
    )
    .option('--dims <sizes>', 'sizes that are compiled in, and ranges: batch=1..32,seq=128', parseDims, {})
    .option('--sizes <sizes>', 'sizes of the runs (default: batch=8, others 128)', parseSizes, {})
    .option(
      '--rounds <n>',
      'runs that are timed',
      (text) => parseNumber('--rounds', text, 'a whole number ≥ 1', whole),
      10,
    )
    .option('--threads <n>', 'threads of the CPU (default: all)', (text) =>
      parseNumber('--threads', text, 'a whole number ≥ 1', whole),
    )
    .option('--tune', 'measure schedules for each kernel shape, use the best, and keep them for `compile --tune`')
    .option(
      '--budget <seconds>',
      'with --tune: time after which no more is tried',
      (text) => parseNumber('--budget', text, 'a number > 0', (x) => x > 0),
      30,
    )
    .option('--profile', 'show how long each kernel takes')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  $ sinter bench ./my-model --sizes batch=1,seq=128
  $ sinter bench ./my-model --target cpu-native --tune
  $ sinter bench model.sinter --entry forward --profile --json`,
    )
    .action(async (models: readonly string[], options: BenchOptions) => {
      // The compiler is loaded when it is wanted: other commands start without it.
      const { benchModel } = await import('../bench/bench-model.ts');
      await benchModel(io, models, options);
    });
}

function only<T>([first]: readonly T[]): T {
  return first!;
}
