/** The command as a function: arguments in, exit code out. Each verb is a file of `commands/`. */
import { Command, CommanderError } from 'commander';
import { version } from './version.ts';
import { benchCommand } from './commands/bench.ts';
import { compileCommand } from './commands/compile.ts';
import { devicesCommand } from './commands/devices.ts';
import { inspectCommand } from './commands/inspect.ts';
import { runCommand } from './commands/run.ts';
import { verifyCommand } from './commands/verify.ts';
import { exitCodes, UsageError } from './errors.ts';
import type { Io } from './output/io.ts';
import { processIo } from './output/io.ts';

/**
 * Runs the command with the arguments that would follow `sinter` in a shell. Never throws: errors are written to `io`.
 *
 * @param args - e.g. `['inspect', 'model.sinter', '--json']`
 * @param io - where results and messages go. Default: stdout and stderr
 * @returns the exit code: 0 done, 1 it could not be done, 2 the arguments are wrong
 */
export async function sinter(args: readonly string[], io: Io = processIo): Promise<number> {
  const program = new Command('sinter')
    .description('Compiles models ahead of time, and runs, inspects and verifies what it made.')
    .version(version)
    .addHelpText('after', '\n`sinter <command> --help` shows options and examples.');
  for (const command of [compileCommand, runCommand, inspectCommand, verifyCommand, benchCommand, devicesCommand])
    program.addCommand(command(io).option('--verbose', 'show where an error arose'));
  for (const command of [program, ...program.commands])
    command
      .exitOverride()
      .showSuggestionAfterError()
      .configureOutput({
        writeOut: io.out,
        writeErr: (text) => io.err(text.trimEnd()),
        outputError: (text, write) => write(text.replace(/^error: /, 'sinter: ')),
      });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exitCodes.ok;
  } catch (error) {
    // What commander finds wrong, it has written already; help and version are no errors.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    const { message, stack } = error as Error;
    io.err(`sinter: ${message}`);
    if (args.includes('--verbose')) io.err(stack ?? '');
    return error instanceof UsageError ? exitCodes.usage : exitCodes.failed;
  }
}
