/**
 * Which parameters weight decay applies to, by name: the patterns of `Trainer.get_decay_parameter_names` in transformers.
 * `ln_1`, `ln_f` and `layer_norm1` (GPT-2, CLIP), which it finds by the type of their modules, are found by name too.
 */

const exempt = /bias|layernorm|rmsnorm|(?:^|\.)ln_\w+(?:$|\.)|(?:^|\.|_)norm\d*(?:$|\.)/;

/** Whether weight decay applies: not to biases and not to the weights of normalisations. */
export function decays(name: string): boolean {
  return !exempt.test(name.toLowerCase());
}
