/** Which parameters weight decay applies to, by name: the patterns of `Trainer.get_decay_parameter_names` in transformers. */

const exempt = /bias|layernorm|rmsnorm|(?:^|\.)norm(?:$|\.)|_norm(?:$|\.)/;

/** Whether weight decay applies: not to biases and not to the weights of normalisations. */
export function decays(name: string): boolean {
  return !exempt.test(name.toLowerCase());
}
