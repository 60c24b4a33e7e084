/** What can be wrong with a model's configuration and with what it is fed; errors of files are `CheckpointError`s. */

/** A `config.json`, or options that replace its keys, that a model cannot be built from. */
export class ConfigError extends Error {
  override readonly name: string = 'ConfigError';
}

/** Data for a model that it cannot work with: a token, label or length out of range. */
export class InputError extends Error {
  override readonly name: string = 'InputError';
}
