/** Graphs in the text form of the IR as a source: each file is an entry point, and state of the same name is shared. */
import { readFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import type { DType, Graph } from '@sinter/ir';
import { GraphError, parseGraph, sameShape, showShape, verifyGraph } from '@sinter/ir';
import { readSafetensors } from '@sinter/models';
import { CliError, UsageError } from '../../errors.ts';
import type { Source, StateValue } from './source.ts';

/** What is wanted of graph files. */
export interface GraphSourceOptions {
  /** Names of the entry points, in the order of the files. Default: the names that the graphs have. */
  readonly entries: readonly string[] | undefined;
  /** A safetensors file with first values of state. What it lacks begins at zero. */
  readonly state: string | undefined;
}

/** Reads graph files. @throws CliError for a text that is no graph, or state that does not fit; UsageError for names */
export async function graphSource(paths: readonly string[], options: GraphSourceOptions): Promise<Source> {
  const graphs = await Promise.all(paths.map(readGraph));
  const names = options.entries ?? graphs.map((g) => g.name);
  if (names.length !== graphs.length)
    throw new UsageError(
      `--entry: ${names.length} names for ${graphs.length} graph files; give one for each, in their order`,
    );
  names.forEach((name, i) => {
    if (!/^[A-Za-z_]\w*$/.test(name))
      throw new UsageError(`--entry: '${name}' is no name of an entry point; use letters, digits and _`);
    if (names.indexOf(name) !== i)
      throw new UsageError(`two graphs are called '${name}'; name the entry points with --entry`);
  });
  const entries = Object.fromEntries(graphs.map((g, i) => [names[i]!, g]));
  return {
    name: basename(paths[0]!, extname(paths[0]!)),
    entries,
    weights: options.state === undefined ? new Map() : await readState(options.state, entries),
    limits: {},
    inputs: {},
    files: {},
    about: { graphs: paths.map((path) => basename(path)) },
  };
}

async function readGraph(path: string): Promise<Graph> {
  try {
    const g = parseGraph(await readFile(path, 'utf8'));
    verifyGraph(g);
    return g;
  } catch (error) {
    if (error instanceof GraphError) throw new CliError(`${path} is no graph: ${error.message}`, { cause: error });
    throw error;
  }
}

async function readState(path: string, entries: Source['entries']): Promise<Map<string, StateValue>> {
  const file = await readSafetensors(path);
  try {
    const values = new Map<string, StateValue>();
    for (const g of Object.values(entries))
      for (const [name, { dtype, shape }] of Object.entries(g.state)) {
        if (values.has(name) || !file.has(name)) continue;
        const found = file.info(name);
        if (found.dtype !== (dtype as DType) || !sameShape(found.shape, shape))
          throw new CliError(
            `state '${name}' is ${dtype}${showShape(shape)}, but ${path} has ${found.dtype}${showShape(found.shape)}`,
          );
        values.set(name, (await file.read(name)) as StateValue);
      }
    return values;
  } finally {
    await file.close();
  }
}
