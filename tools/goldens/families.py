"""
What Hugging Face's models of other families compute, for @sinter/models: a tiny seeded model of each, in full. One line of `models` is one golden.

Usage: families.py [NAME …]

Everything runs in float64 on f32 weights and is rounded once. The files and their fields stand in README.md beside this one.
"""

import json
import sys
import zlib

from common import root, write

import torch
from safetensors.torch import save_file
import transformers as hf

goldens = root / 'packages/models/goldens'
IGNORED_BELOW = 1e-12  # gradients this far under the largest of all are rounding: written as 0

GPT2 = dict(vocab_size=100, n_embd=32, n_layer=2, n_head=4, n_positions=40, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
            bos_token_id=98, eos_token_id=99, attn_implementation='eager')

# name: (model class, configuration, whether there is a label for each token)
models = {
    'tiny-gpt2': (hf.GPT2LMHeadModel, hf.GPT2Config(**GPT2), 'tokens'),
    'tiny-gpt2-classifier': (hf.GPT2ForSequenceClassification, hf.GPT2Config(**GPT2, num_labels=3, pad_token_id=0), 'texts'),
}


def save(path, tensors):
    """Writes a safetensors file: reals as F32, integers as I32."""
    save_file({k: (v.float() if v.is_floating_point() else v.int()).detach().contiguous() for k, v in tensors.items()}, path)
    print(f'{path.relative_to(root)}: {path.stat().st_size / 1024:.0f} KiB')


def golden(name):
    make, config, labelled = models[name]
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    torch.manual_seed(1)
    model = make(config).double()
    with torch.no_grad():
        for key, p in model.named_parameters():
            centre = 1.0 if 'ln_' in key and key.endswith('weight') or 'norm' in key.lower() and key.endswith('weight') else 0.0
            noise = torch.randn(p.shape, generator=generator, dtype=torch.float64) * (0.12 if p.dim() == 2 else 0.1)
            p.copy_((noise + centre).float().double())
    model.float().save_pretrained(goldens / name, safe_serialization=True)
    model.double()

    lengths = torch.tensor([13, 8, 5])
    rows, width = len(lengths), 13
    mask = (torch.arange(width) < lengths[:, None]).long()
    ids = torch.randint(1, 97, (rows, width), generator=generator) * mask
    if labelled == 'tokens':
        labels = torch.where(mask == 1, ids, -100)
        labels[0, 3] = -100
    else:
        labels = torch.randint(0, config.num_labels, (rows,), generator=generator)
    batch = {'input_ids': ids, 'attention_mask': mask, 'labels': labels}
    out = model(**batch, output_hidden_states=True, output_attentions=True, use_cache=False)
    out.loss.backward()
    save(goldens / f'{name}.expected.safetensors', {
        **batch,
        **{f'hidden_states.{i}': h for i, h in enumerate(out.hidden_states)},
        **{f'attentions.{i}': a for i, a in enumerate(out.attentions)},
        'logits': out.logits, 'loss': out.loss,
    })
    grads = {key: p.grad for key, p in model.named_parameters()}
    floor = IGNORED_BELOW * max(g.abs().max() for g in grads.values())
    save(goldens / f'{name}.gradients.safetensors', {key: torch.where(g.abs() < floor, 0.0, g) for key, g in grads.items()})


def generation(name, cases):
    """What `generate` writes after prompts of different lengths, padded on the left."""
    model = models[name][0].from_pretrained(goldens / name, attn_implementation='eager').double().eval()
    generator = torch.Generator().manual_seed(7)
    lengths = torch.tensor([6, 3, 1])
    mask = (torch.arange(6) >= 6 - lengths[:, None]).long()
    ids = torch.randint(1, 97, (3, 6), generator=generator) * mask
    rows = []
    for options in cases:
        output = model.generate(input_ids=ids, attention_mask=mask, pad_token_id=0, **options)
        rows.append(json.dumps({'options': options, 'output': output.tolist()}))
    lines = ',\n'.join(rows)
    write(goldens / f'{name}.generation.json',
          f'{{"input_ids":{json.dumps(ids.tolist())},"attention_mask":{json.dumps(mask.tolist())},"cases":[\n{lines}\n]}}\n')


ENDS = list(range(0, 100, 9))  # many, so that texts end early
GENERATION = [
    {'max_new_tokens': 20},
    {'max_length': 9},
    {'max_new_tokens': 24, 'repetition_penalty': 1.5},
    {'max_new_tokens': 24, 'no_repeat_ngram_size': 2},
    {'max_new_tokens': 20, 'repetition_penalty': 1.2, 'no_repeat_ngram_size': 3},
    {'max_new_tokens': 20, 'eos_token_id': ENDS},
    {'max_new_tokens': 20, 'eos_token_id': ENDS, 'min_new_tokens': 8},
    {'max_new_tokens': 20, 'eos_token_id': ENDS, 'min_length': 12},
]

for name in sys.argv[1:] or models:
    golden(name)
generation('tiny-gpt2', GENERATION)
