/** Weights from the host to programs that are kept for longer than a call. */
import type { StateHandle } from '@sinter/compiler';
import type { PreTrainedModel } from './model.ts';

/**
 * Writes the weights that are not those which were `written` before, and remembers them there. Whoever changes weights replaces their arrays, which tells
 * them. Gives whether there were any.
 */
export async function handOver(
  model: Pick<PreTrainedModel, 'tensors'>,
  state: StateHandle,
  written: Map<string, object>,
): Promise<boolean> {
  const tensors = model.tensors();
  let changed = false;
  for (const name of Object.keys(state.ports)) {
    const data = tensors.get(name)?.data;
    if (data === undefined || written.get(name) === data) continue;
    await state.write(name, data);
    written.set(name, data);
    changed = true;
  }
  return changed;
}
