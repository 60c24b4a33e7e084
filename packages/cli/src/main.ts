#!/usr/bin/env node
/** The binary: the process's arguments, streams and exit code around {@link sinter}. */
import { sinter } from './sinter.ts';

process.exitCode = await sinter(process.argv.slice(2));
