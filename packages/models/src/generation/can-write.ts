/** Whether a model writes, and which ones do. */
import type { ModelOutputs } from '../architecture.ts';
import type { ModelConfig } from '../config.ts';
import { ConfigError } from '../errors.ts';
import type { PreTrainedModel } from '../model.ts';

/** Complains about a model that does not write. @throws ConfigError that names the classes that do */
export async function checkWrites<C extends ModelConfig, O extends ModelOutputs>({
  architecture: { name, model_type, decode },
}: PreTrainedModel<C, O>): Promise<void> {
  if (decode) return;
  // The list of families knows every model; none of them must depend on it.
  const { writingClasses } = await import('../registry.ts');
  throw new ConfigError(`a ${name} does not write; load the checkpoint as ${writingClasses(model_type).join(' or ')}`);
}
