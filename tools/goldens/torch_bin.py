"""Writes checkpoints of PyTorch as torch.save does, and the same tensors as safetensors: torch_bin.py FOLDER.

One of each dtype, and every way in which tensors share storages. Run it again after a change:
    .venv/bin/python tools/goldens/torch_bin.py packages/models/goldens/torch
"""

import sys
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import save_file

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
torch.manual_seed(0)

base = torch.randn(6, 5)
tensors = OrderedDict()
for name, dtype in dict(f64=torch.float64, f32=torch.float32, f16=torch.float16, bf16=torch.bfloat16).items():
    tensors[name] = torch.randn(3, 4).to(dtype)
for name, dtype in dict(i64=torch.int64, i32=torch.int32, i16=torch.int16, i8=torch.int8, u8=torch.uint8).items():
    tensors[name] = torch.arange(3, 9).reshape(2, 3).to(dtype)
tensors["i64.large"] = torch.tensor([-(2**62), 2**62 + 1])
tensors["bool"] = torch.tensor([True, False, True])
tensors["scalar"] = torch.tensor(2.5)
tensors["empty"] = torch.empty(0, 4)
tensors["base"] = base
tensors["tied"] = base
tensors["transposed"] = base.t()
tensors["transposed.bf16"] = base.to(torch.bfloat16).t()
tensors["rows"] = base[2:4]
tensors["columns"] = base[:, 1:3]
tensors["every other"] = base[::2, ::3]
tensors["expanded"] = torch.tensor([1.0, 2.0]).expand(3, 2)
tensors["permuted"] = torch.randn(2, 3, 4).half().permute(2, 0, 1)
tensors["one row"] = base[3:4].t()
tensors["parameter"] = torch.nn.Parameter(torch.randn(2, 2))
tensors["schlüssel\U0001F511"] = torch.ones(1)

torch.save(tensors, folder / "pytorch_model.bin")
save_file({name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}, folder / "expected.safetensors")
