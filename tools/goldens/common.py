"""What the golden generators share: seeded f32 inputs, numbers as text, and files that come out the same every time."""

import base64
import json
import os
from pathlib import Path

os.environ.setdefault('OMP_WAIT_POLICY', 'passive')  # torch's and OpenBLAS's threads would fight over the cores

import numpy as np
import torch

root = Path(__file__).resolve().parents[2]
torch.set_num_threads(1)  # one order of summation, whatever the machine
torch.use_deterministic_algorithms(True)

DTYPES = {'f32': torch.float32, 'i32': torch.int32, 'u8': torch.uint8, 'bool': torch.bool}


def name_of(dtype: torch.dtype) -> str:
    """The project's name for a torch dtype; float64 is what `f32` is computed in, int64 what `i32` is indexed with."""
    wide = {torch.float64: 'f32', torch.int64: 'i32'}
    return wide.get(dtype) or next(k for k, v in DTYPES.items() if v == dtype)


def number(x) -> str:
    """One number as JSON: the shortest text (at most 9 digits) that reads back as the same f32; what JSON lacks as a string."""
    if np.isnan(x):
        return '"NaN"'
    if np.isinf(x):
        return '"Infinity"' if x > 0 else '"-Infinity"'
    text = str(np.float32(x))
    return text[:-2] if text.endswith('.0') else text


def numbers(t: torch.Tensor) -> str:
    """The elements of a tensor in row-major order as a JSON list, rounded once from float64 to f32 where they are real."""
    flat = t.detach().contiguous().reshape(-1)
    if t.is_floating_point():
        with np.errstate(over='ignore'):
            return '[' + ','.join(map(number, flat.numpy().astype(np.float32))) + ']'
    return '[' + ','.join(str(int(x)) for x in flat) + ']'


def packed(t: torch.Tensor) -> str:
    """
    The elements of a tensor in row-major order, small: integers as a JSON list; reals, rounded once to f32, as base64 of
    little-endian bytes behind a letter: `t` are thousandths as int16 (the nearest f32 is meant), `f` are f32.
    """
    flat = t.detach().contiguous().reshape(-1)
    if not t.is_floating_point():
        return numbers(t)
    with np.errstate(over='ignore', invalid='ignore'):
        reals = flat.numpy().astype('<f4')
        thousandths = np.round(flat.numpy() * 1000).astype('<i2')
    exact = (thousandths.astype(np.float64) / 1000).astype('<f4').tobytes() == reals.tobytes()
    data = thousandths if exact else reals
    return f'"{"t" if exact else "f"}{base64.b64encode(data.tobytes()).decode()}"'


def tensor_json(t: torch.Tensor) -> str:
    """A tensor as `[dtype, shape, data]`."""
    return f'["{name_of(t.dtype)}",{json.dumps(list(t.shape), separators=(",", ":"))},{packed(t)}]'


def write(path: Path, text: str) -> None:
    """Writes a text file and says how large it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    print(f'{path.relative_to(root)}: {path.stat().st_size / 1024:.0f} KiB')
