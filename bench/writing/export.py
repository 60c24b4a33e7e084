"""
Makes the folder of a GPT-2 with seeded weights as the hub has them: config.json, model.safetensors, and onnx/model.onnx with the keys and values
of earlier tokens going in and coming out, as exporters write it and transformers.js reads it.

Usage: export.py FOLDER JSON, where JSON has the keys of the configuration that are not those of the smallest GPT-2.
"""

import json
import sys
from pathlib import Path

import torch
from transformers import GPT2Config, GPT2LMHeadModel

folder, keys = Path(sys.argv[1]), json.loads(sys.argv[2])
torch.manual_seed(0)
# Without a token that ends texts, all are written to the same length.
config = GPT2Config(**keys, bos_token_id=0, eos_token_id=None, attn_implementation='eager')
model = GPT2LMHeadModel(config).eval()
with torch.no_grad():
    for parameter in model.parameters():
        # Larger than at the start of training, or every text would be one token over and over.
        if parameter.dim() == 2:
            parameter.normal_(0, 0.08)
model.save_pretrained(folder, safe_serialization=True)

layers, heads = config.n_layer, config.n_head
names = [f'{i}.{part}' for i in range(layers) for part in ('key', 'value')]


class WithCache(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask, position_ids, *past):
        pairs = tuple((past[2 * i], past[2 * i + 1]) for i in range(layers))
        out = self.model(input_ids=input_ids, attention_mask=attention_mask, position_ids=position_ids, past_key_values=pairs, use_cache=True, return_dict=False)
        return (out[0], *[tensor for pair in out[1] for tensor in pair])


now, before = 3, 2
past = [torch.randn(1, heads, before, config.n_embd // heads) for _ in names]
inputs = (torch.ones(1, now, dtype=torch.long), torch.ones(1, now + before, dtype=torch.long), torch.arange(now)[None] + before, *past)
tokens = {0: 'batch_size', 1: 'sequence_length'}
everything = {0: 'batch_size', 1: 'past_sequence_length + sequence_length'}
(folder / 'onnx').mkdir(exist_ok=True)
torch.onnx.export(
    WithCache(), inputs, folder / 'onnx/model.onnx', opset_version=14, do_constant_folding=True,
    input_names=['input_ids', 'attention_mask', 'position_ids', *[f'past_key_values.{name}' for name in names]],
    output_names=['logits', *[f'present.{name}' for name in names]],
    dynamic_axes={
        'input_ids': tokens, 'attention_mask': everything, 'position_ids': tokens, 'logits': tokens,
        **{f'past_key_values.{name}': {0: 'batch_size', 2: 'past_sequence_length'} for name in names},
        **{f'present.{name}': {0: 'batch_size', 2: 'past_sequence_length + sequence_length'} for name in names},
    },
)
# There is no tokenizer: ids go in and come out.
print('made', folder)
