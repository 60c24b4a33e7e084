/** `sinter compile`: a model, or graphs, into one `.sinter` file that runs without the compiler. Needs no device. */
import { Command } from 'commander';
import { parseDims } from '../arguments/dims.ts';
import { parseBytes, parseChoices, parseNumber } from '../arguments/lists.ts';
import { targetNames } from '../backends.ts';
import type { CompileOptions } from '../compile/options.ts';
import { stepArguments } from '../compile/options.ts';
import { UsageError } from '../errors.ts';
import type { Io } from '../output/io.ts';
import { entryNames, taskNames, weightTypes } from '../compile/source/names.ts';

/** Makes the command. */
export function compileCommand(io: Io): Command {
  const one =
    <const T extends string>(option: string, known: readonly T[]) =>
    (text: string) => {
      const [value, ...more] = parseChoices(option, text, known);
      if (more.length > 0) throw new UsageError(`${option}: give one of ${known.join(', ')}`);
      return value!;
    };
  const command = new Command('compile')
    .description('Compile a model ahead of time into one .sinter file. No device is needed for that.')
    .argument('<model...>', 'a model folder or hub id, or graph files (text of the IR; each an entry point)')
    .option(
      '--task <task>',
      `what the model is for: ${taskNames.join(', ')} (default: as config.json says)`,
      one('--task', taskNames),
    )
    .option(
      '--entry <names>',
      `entry points that share state: ${entryNames.join(', ')} (default: forward); of graph files, their names`,
    )
    .option('--target <backend>', `where it shall run: ${targetNames.join(', ')}`, one('--target', targetNames), 'cpu')
    .option('--dims <sizes>', 'run-time sizes, fixed or bounded: batch=1..32,seq=128', parseDims, {})
    .option(
      '--weights <dtype>',
      `how weights are stored: ${weightTypes.join(', ')}`,
      one('--weights', weightTypes),
      'f32',
    )
    .option('-o, --out <folder>', 'where the file goes', '.')
    .option('--name <name>', 'name of the artifact and its file (default: of the model)')
    .option('--weights-beside', 'weights in safetensors files beside, not inside')
    .option('--max-shard-bytes <bytes>', 'split weights into files beside of at most so many bytes: 500MB', (text) =>
      parseBytes('--max-shard-bytes', text),
    )
    .option('--tune', 'cut kernels as measurements on this machine say: those of `bench --tune`, or new ones')
    .option('--no-prepare', 'pack weights in every run, not once: slower, for half the memory of weights')
    .option('--no-self-check', 'store no small case with its answer')
    .option('--standalone', 'write a JavaScript module without dependencies that loads it, and its types, beside')
    .option('--state <file>', 'of graph files: safetensors with first values of state (default: zeros)')
    .option('--num_labels <n>', 'replace the number of labels; the classifier begins anew', (text) =>
      parseNumber('--num_labels', text, 'a whole number ≥ 1', (x) => Number.isInteger(x) && x >= 1),
    )
    .option('--revision <name>', 'branch, tag or commit of a hub id');
  for (const [name, meaning] of Object.entries(stepArguments))
    command.option(`--${name} <x>`, `train_step: ${meaning}`, (text) =>
      parseNumber(`--${name}`, text, 'a number ≥ 0', (x) => x >= 0 && x < Infinity),
    );
  return command
    .addHelpText(
      'after',
      `
Examples:
  $ sinter compile ./my-model -o out
  $ sinter compile ./my-model --task text-classification --entry forward,train_step --dims batch=1..32,seq=1..512
  $ sinter compile sentence-transformers/all-MiniLM-L6-v2 --target webgpu --weights f16 --standalone -o out
  $ sinter compile scores.graph --state weights.safetensors --dims batch=8`,
    )
    .action(async (models: readonly string[], options: CompileOptions) => {
      // The compiler is loaded when it is wanted: other commands start without it.
      const { compileModel } = await import('../compile/compile-model.ts');
      await compileModel(io, models, options);
    });
}
