"""Writes GGUF files with the package of llama.cpp, and what they stand for: gguf_files.py FOLDER.

types.gguf has one tensor of every type that is read; NAME.gguf are small models as llama.cpp's converter stores them, beside the folder
NAME that Hugging Face saves of the same model.
"""

import sys
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors.numpy import save_file
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
torch.manual_seed(0)
rng = np.random.default_rng(0)
Type = gguf.GGMLQuantizationType


def close(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


writer = gguf.GGUFWriter(folder / "types.gguf", "gpt2")
writer.add_array("tokenizer.ggml.tokens", ["a", "ß", "\U0001F511"])
writer.add_array("numbers", [1.5, 2.5])
expected = {}
for kind in [Type.F32, Type.F16, Type.BF16, Type.Q8_0, Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1]:
    values = rng.standard_normal((3, 512)).astype(np.float32)
    data = gguf.quants.quantize(values, kind)
    expected[kind.name] = gguf.quants.dequantize(data, kind).astype(np.float32)
    writer.add_tensor(kind.name, data, raw_dtype=kind)
for kind in [Type.Q4_K, Type.Q5_K, Type.Q6_K]:
    # The package reads these and does not write them. Any bytes are blocks; their scales are made finite.
    block = gguf.GGML_QUANT_SIZES[kind][1]
    data = rng.integers(0, 256, (3, 2, block), dtype=np.uint8)
    scales = [208] if kind == Type.Q6_K else [0, 2]
    for at in scales:
        data[:, :, at : at + 2] = np.float16(rng.standard_normal((3, 2, 1))).view(np.uint8)
    data = data.reshape(3, 2 * block)
    expected[kind.name] = gguf.quants.dequantize(data, kind).astype(np.float32)
    writer.add_tensor(kind.name, data, raw_dtype=kind)
close(writer)
save_file({name: np.ascontiguousarray(value) for name, value in expected.items()}, folder / "types.safetensors")


def convert(name, model, arch):
    """As convert_hf_to_gguf.py does it."""
    config = model.config
    model.save_pretrained(folder / name)
    writer = gguf.GGUFWriter(folder / f"{name}.gguf", name)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_bos_token_id(config.bos_token_id)
    writer.add_eos_token_id(config.eos_token_id)
    if name == "gpt2":
        writer.add_feed_forward_length(4 * config.n_embd)
        writer.add_layer_norm_eps(config.layer_norm_epsilon)
    else:
        writer.add_feed_forward_length(config.intermediate_size)
        writer.add_head_count_kv(config.num_key_value_heads)
        writer.add_rope_freq_base(config.rope_theta)
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
        writer.add_vocab_size(config.vocab_size)
    names = gguf.get_tensor_name_map(arch, config.num_hidden_layers)
    for key, tensor in model.state_dict().items():
        if key.endswith((".attn.bias", ".attn.masked_bias")) or (key == "lm_head.weight" and config.tie_word_embeddings):
            continue
        to = names.get_name(key, try_suffixes=(".weight", ".bias"))
        assert to, key
        if name == "gpt2" and key.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight")):
            tensor = tensor.t()
        if name == "llama" and key.endswith(("q_proj.weight", "k_proj.weight")):
            heads = config.num_attention_heads if "q_proj" in key else config.num_key_value_heads
            rows, columns = tensor.shape
            tensor = tensor.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)
        writer.add_tensor(to, tensor.contiguous().numpy())
    close(writer)


small = dict(
    vocab_size=40,
    hidden_size=16,
    intermediate_size=24,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=32,
    bos_token_id=1,
    eos_token_id=2,
)
convert("llama", LlamaForCausalLM(LlamaConfig(**small, tie_word_embeddings=False)), gguf.MODEL_ARCH.LLAMA)
convert("qwen2", Qwen2ForCausalLM(Qwen2Config(**small, tie_word_embeddings=True)), gguf.MODEL_ARCH.QWEN2)
gpt2 = GPT2Config(vocab_size=40, n_positions=32, n_embd=16, n_layer=2, n_head=4, bos_token_id=1, eos_token_id=2)
convert("gpt2", GPT2LMHeadModel(gpt2), gguf.MODEL_ARCH.GPT2)
