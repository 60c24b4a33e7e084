"""
Writes the ONNX file of a model without a head, with any batch and length, as exporters write it and transformers.js reads it.

Usage: export.py FOLDER FILE
"""

import sys

import torch
from transformers import AutoModel

model = AutoModel.from_pretrained(sys.argv[1], attn_implementation='eager').eval()
names = ['input_ids', 'attention_mask', 'token_type_ids']


class States(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model = model

    def forward(self, *inputs):
        return self.model(**dict(zip(names, inputs))).last_hidden_state


axes = {name: {0: 'batch_size', 1: 'sequence_length'} for name in [*names, 'last_hidden_state']}
torch.onnx.export(
    States(), tuple(torch.ones(2, 3, dtype=torch.long) for _ in names), sys.argv[2], opset_version=14, do_constant_folding=True,
    input_names=names, output_names=['last_hidden_state'], dynamic_axes=axes,
)
