/**
 * The arguments of transformers' `TrainingArguments` (5.18, and 4.57 where it had more) that this package does not have:
 * other spellings, those without a meaning here, and those that would change the result.
 */

/** Spellings that are translated. */
export const aliases = {
  evaluation_strategy: 'eval_strategy',
  per_gpu_train_batch_size: 'per_device_train_batch_size',
  per_gpu_eval_batch_size: 'per_device_eval_batch_size',
} as const;

const torch = 'it is about torch';
const cluster = 'training runs in one process';
const hub = 'nothing is uploaded';
const precision = 'weights and arithmetic are f32';

/** Accepted, without effect but for a warning; the reason is given. */
export const ignored = {
  overwrite_output_dir: 'a checkpoint of the same step is replaced, all else stays',
  do_train: 'call train()',
  do_eval: 'call evaluate()',
  do_predict: 'call predict()',
  remove_unused_columns: 'fields that the model has no input for are never fed',
  logging_nan_inf_filter: 'a NaN or infinite loss is an error and is not logged',
  save_safetensors: 'weights are always safetensors',
  full_determinism: 'every run is deterministic',
  use_cpu: 'the backend decides',
  no_cuda: 'the backend decides',
  use_mps_device: 'the backend decides',
  log_level: 'what is printed is a callback',
  log_level_replica: cluster,
  log_on_each_node: cluster,
  run_name: 'the folder of the log is its name',
  project: 'it is about a service',
  dataloader_num_workers: 'batches are made in this process',
  dataloader_pin_memory: torch,
  dataloader_persistent_workers: 'batches are made in this process',
  dataloader_prefetch_factor: 'batches are made in this process',
  dataloader_multiprocessing_context: 'batches are made in this process',
  dataloader_in_order: 'batches are always in order',
  eval_accumulation_steps: 'predictions are always on the host',
  eval_use_gather_object: cluster,
  eval_do_concat_batches: 'predictions are always put together',
  tf32: precision,
  torch_compile: 'the whole step is compiled',
  torch_compile_backend: torch,
  torch_compile_mode: torch,
  torch_empty_cache_steps: torch,
  torchdynamo: torch,
  jit_mode_eval: torch,
  use_liger_kernel: torch,
  liger_kernel_config: torch,
  optim_target_modules: torch,
  average_tokens_across_devices: cluster,
  accelerator_config: cluster,
  parallelism_config: cluster,
  ddp_find_unused_parameters: cluster,
  ddp_bucket_cap_mb: cluster,
  ddp_broadcast_buffers: cluster,
  ddp_static_graph: cluster,
  ddp_backend: cluster,
  ddp_timeout: cluster,
  fsdp: cluster,
  fsdp_config: cluster,
  deepspeed: cluster,
  local_rank: cluster,
  save_on_each_node: cluster,
  tpu_num_cores: cluster,
  ray_scope: cluster,
  debug: torch,
  skip_memory_metrics: torch,
  fp16_opt_level: torch,
  half_precision_backend: torch,
  mp_parameters: cluster,
  past_index: torch,
  gradient_checkpointing_kwargs: torch,
  use_cache: 'training keeps no cache',
  enable_jit_checkpoint: 'Ctrl-C and AbortSignal write a checkpoint',
  hub_model_id: hub,
  hub_strategy: hub,
  hub_token: hub,
  hub_private_repo: hub,
  hub_always_push: hub,
  hub_revision: hub,
  push_to_hub_model_id: hub,
  push_to_hub_organization: hub,
  push_to_hub_token: hub,
  use_ipex: torch,
  fp16_backend: torch,
  use_legacy_prediction_loop: torch,
  tpu_metrics_debug: cluster,
  fsdp_min_num_params: cluster,
  fsdp_transformer_layer_cls_to_wrap: cluster,
  dispatch_batches: cluster,
  split_batches: cluster,
  trackio_space_id: 'it is about a service',
} as const;

/** Would change the result and is not there: accepted only with its default. */
export const refused = {
  fp16: [false, precision],
  bf16: [false, precision],
  fp16_full_eval: [false, precision],
  bf16_full_eval: [false, precision],
  label_smoothing_factor: [0, 'the model computes its loss'],
  neftune_noise_alpha: [null, 'no noise is added to embeddings'],
  auto_find_batch_size: [false, 'the batch size is as given'],
  adafactor: [false, "it is `optim: 'adafactor'`"],
  push_to_hub: [false, hub],
  eval_delay: [0, 'evaluations begin at once'],
  batch_eval_metrics: [false, 'metrics are computed once for all batches'],
  include_for_metrics: [[], 'metrics see predictions and labels'],
  include_inputs_for_metrics: [false, 'metrics see predictions and labels'],
  include_num_input_tokens_seen: ['no', 'tokens are counted and shown, not logged'],
  include_tokens_per_second: [false, 'tokens are counted and shown, not logged'],
  label_names: [null, 'the labels are the model input of that name'],
  ignore_data_skip: [false, 'a resumed run goes on where the data was left'],
  restore_callback_states_from_checkpoint: [false, 'callbacks start anew'],
} as const satisfies Record<string, readonly [unknown, string]>;

/** A spelling that is translated. */
export type AliasName = keyof typeof aliases;
/** An argument without effect. */
export type IgnoredName = keyof typeof ignored;
/** An argument that may only have its default. */
export type RefusedName = keyof typeof refused;
