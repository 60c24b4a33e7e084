/** What texts go on from: the inputs of `generate`, checked, with what Hugging Face takes where something is left out. */
import type { TensorData } from '@sinter/ir';
import type { ModelOutputs } from '../architecture.ts';
import { checkInputs } from '../compiled.ts';
import type { ModelData } from '../compiled.ts';
import type { ModelConfig } from '../config.ts';
import { InputError } from '../errors.ts';
import type { PreTrainedModel } from '../model.ts';
import type { GenerationConfig } from './config.ts';
import type { Text } from './session.ts';

/** Texts to go on from. */
export interface Prompts {
  readonly texts: readonly Text[];
  /** Tokens of each, padding included. */
  readonly width: number;
  /** Tokens of each source, padding included; 0 where there is no encoder. */
  readonly source: number;
}

/** Checks the inputs. @throws InputError */
export function promptsOf<C extends ModelConfig, O extends ModelOutputs>(
  model: PreTrainedModel<C, O>,
  inputs: ModelData,
  said: GenerationConfig,
): Prompts {
  const reads = model.architecture.encode !== undefined;
  const known = ['input_ids', 'attention_mask', ...(reads ? ['decoder_input_ids'] : [])];
  // Tokenizers of some families give these too; one text has one type.
  const unknown = Object.keys(inputs).find((name) => !known.includes(name) && name !== 'token_type_ids');
  if (unknown !== undefined)
    throw new InputError(`generate: there is no input '${unknown}'; the inputs are ${known.join(', ')}`);
  const ids = rowsOf(inputs['input_ids'], 'input_ids', reads ? 'source' : 'prompt');
  checkInputs(model.inputs, model.dims, { input_ids: inputs['input_ids']! });
  const masks = masksOf(inputs, ids, said);
  if (!reads) {
    masks.forEach((mask, row) => {
      if (mask.at(-1) === 0)
        throw new InputError(`generate: text ${row} ends with padding; pad prompts on the left (padding_side: 'left')`);
    });
    const texts = ids.map((tokens, row) => ({ tokens: [...tokens], mask: masks[row]!, source: undefined }));
    return { texts, width: ids[0]!.length, source: 0 };
  }
  const begin = beginningsOf(model, inputs['decoder_input_ids'], ids.length, said);
  const texts = ids.map((source, row) => ({
    tokens: begin[row]!,
    mask: new Int32Array(0),
    source: { ids: source, mask: masks[row]! },
  }));
  return { texts, width: begin[0]!.length, source: ids[0]!.length };
}

function rowsOf(ids: TensorData | undefined, name: string, what: string): Int32Array[] {
  if (!ids || ids.shape.length !== 2)
    throw new InputError(`generate: wants ${name} [batch, seq], got ${ids ? `[${ids.shape.join(', ')}]` : 'none'}`);
  const [rows, width] = ids.shape as [number, number];
  if (rows < 1 || width < 1) throw new InputError(`generate: the ${what} is empty; begin with at least one token`);
  return Array.from({ length: rows }, (_, row) => (ids.data as Int32Array).subarray(row * width, (row + 1) * width));
}

/** Without a mask padding is what has the padding token, unless that may also be the end of a text. */
function masksOf({ attention_mask }: ModelData, ids: readonly Int32Array[], said: GenerationConfig): Int32Array[] {
  const width = ids[0]!.length;
  if (attention_mask) {
    const { data } = attention_mask;
    if (data.length !== ids.length * width)
      throw new InputError(`generate: attention_mask has ${data.length} elements, input_ids ${ids.length * width}`);
    return ids.map((_, row) => (data as Int32Array).subarray(row * width, (row + 1) * width));
  }
  const { pad_token_id, eos_token_id } = said;
  const tells = typeof pad_token_id === 'number' && ![eos_token_id].flat().includes(pad_token_id);
  return ids.map((row) => row.map((id) => Number(!tells || id !== pad_token_id)));
}

/** What decoders begin with. */
function beginningsOf<C extends ModelConfig, O extends ModelOutputs>(
  model: PreTrainedModel<C, O>,
  given: TensorData | undefined,
  rows: number,
  { decoder_start_token_id, bos_token_id }: GenerationConfig,
): number[][] {
  const start = decoder_start_token_id ?? bos_token_id;
  if (typeof start !== 'number')
    throw new InputError(
      'generate: nothing says what the decoder begins with; give decoder_start_token_id (or bos_token_id)',
    );
  if (!given) return Array.from({ length: rows }, () => [start]);
  const begin = rowsOf(given, 'decoder_input_ids', 'decoder_input_ids').map((row) => [...row]);
  if (begin.length !== rows)
    throw new InputError(`generate: there are ${begin.length} decoder_input_ids for ${rows} sources`);
  checkInputs(model.inputs, model.dims, { decoder_input_ids: given });
  return begin.every(([first]) => first !== start) ? begin.map((row) => [start, ...row]) : begin;
}
