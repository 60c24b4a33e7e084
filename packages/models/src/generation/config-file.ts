/** `generation_config.json`: how a model's texts are generated where the caller says nothing, saved beside its weights. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ModelConfig } from '../config.ts';
import { readConfig } from '../config.ts';
import { generationKeys } from './config.ts';
import type { GenerationConfig } from './config.ts';

/** The name of the file. */
export const generationConfigName = 'generation_config.json';

/** What the file in a folder says, or `undefined` if there is none. @throws CheckpointError if it is no JSON object */
export async function readGenerationConfig(folder: string): Promise<GenerationConfig | undefined> {
  const path = join(folder, generationConfigName);
  if (!existsSync(path)) return undefined;
  const { transformers_version: _, _from_model_config: __, ...keys } = await readConfig(path);
  return keys;
}

/** What `config.json` says about generation: its only place before there was a file for that, and taken only where there is none. */
export function generationFromConfig(config: ModelConfig): GenerationConfig {
  return Object.fromEntries(
    Object.entries(config).filter(([key, value]) => generationKeys.includes(key) && value !== null),
  );
}

/** The text of the file, as Python writes it; it is told where nothing was said but what `config.json` says. */
export function generationConfigText(said: GenerationConfig, config: ModelConfig): string {
  const text = (keys: object): string =>
    JSON.stringify(Object.fromEntries(Object.entries(keys).sort(([a], [b]) => (a < b ? -1 : 1))), null, 2);
  const isFromModel = text(said) === text(generationFromConfig(config));
  return `${text({ ...(isFromModel && { _from_model_config: true }), ...said })}\n`;
}
