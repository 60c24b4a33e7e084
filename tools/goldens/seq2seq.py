"""
What Hugging Face's models compute that read one text and write another, for @sinter/models, and what torch's own `nn.Transformer` does: a tiny seeded
model of each, in full. One line of `models` is one golden.

Usage: seq2seq.py [NAME …]

Everything runs in float64 on f32 weights and is rounded once. The files and their fields stand in README.md beside this one.
"""

import json
import math
import sys
import zlib

from common import root

import torch
from safetensors.torch import save_file
import transformers as hf

torch.set_default_dtype(torch.float64)  # masks too
goldens = root / 'packages/models/goldens'
IGNORED_BELOW = 1e-12  # gradients this far under the largest of all are rounding: written as 0

SIZES = dict(vocab_size=60, d_model=16, encoder_layers=2, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=4,
             encoder_ffn_dim=24, decoder_ffn_dim=28, max_position_embeddings=20, dropout=0.0, attn_implementation='eager')
BART = dict(**SIZES, activation_function='gelu', scale_embedding=True)
MARIAN = dict(**SIZES, activation_function='swish', pad_token_id=59, eos_token_id=0, decoder_start_token_id=59)
T5 = dict(vocab_size=60, d_model=16, d_kv=6, d_ff=24, num_layers=2, num_decoder_layers=2, num_heads=3, dropout_rate=0.0, decoder_start_token_id=0,
          relative_attention_num_buckets=8, relative_attention_max_distance=12)

models = {
    'tiny-bart': lambda: hf.BartForConditionalGeneration(hf.BartConfig(**BART)),
    'tiny-bart-classifier': lambda: hf.BartForSequenceClassification(hf.BartConfig(**BART)),
    'tiny-marian': lambda: hf.MarianMTModel(hf.MarianConfig(**MARIAN, scale_embedding=True)),
    'tiny-marian-two-tables': lambda: hf.MarianMTModel(
        hf.MarianConfig(**MARIAN, decoder_vocab_size=60, share_encoder_decoder_embeddings=False)),
    'tiny-t5': lambda: hf.T5ForConditionalGeneration(hf.T5Config(**T5)),
    'tiny-t5-gated': lambda: hf.T5ForConditionalGeneration(
        hf.T5Config(**T5, feed_forward_proj='gated-gelu', tie_word_embeddings=False)),
    'tiny-transformer': lambda: Transformer(),
}


class Transformer(torch.nn.Module):
    """The model of 2017 around torch's layers, under the names that @sinter/models gives its parts."""

    config = dict(model_type='transformer', architectures=['TransformerForConditionalGeneration'], vocab_size=60, d_model=16, encoder_layers=2,
                  encoder_attention_heads=2, encoder_ffn_dim=24, decoder_layers=2, decoder_attention_heads=2, decoder_ffn_dim=24,
                  max_position_embeddings=20, dropout=0.0, label_smoothing=0.1, pad_token_id=0, bos_token_id=1, eos_token_id=2,
                  decoder_start_token_id=1)

    def __init__(self):
        super().__init__()
        nn, size = torch.nn, dict(d_model=16, nhead=2, dim_feedforward=24, dropout=0.0, batch_first=True)
        self.shared = nn.Embedding(60, 16, padding_idx=0)
        # nn.Transformer itself ends each side with one more norm, which the paper has not.
        self.transformer = nn.Transformer(d_model=16, nhead=2, batch_first=True,
                                          custom_encoder=nn.TransformerEncoder(nn.TransformerEncoderLayer(**size), 2),
                                          custom_decoder=nn.TransformerDecoder(nn.TransformerDecoderLayer(**size), 2))

    def embed(self, ids):
        positions = torch.arange(ids.shape[1], dtype=torch.float64)[:, None]
        angles = positions / 10000 ** (torch.arange(0, 16, 2, dtype=torch.float64) / 16)
        table = torch.cat([angles.sin(), angles.cos()], 1).float().double()
        return self.shared(ids) * 4 + table

    def forward(self, input_ids, attention_mask, labels, **_):
        moved = torch.cat([torch.ones_like(labels[:, :1]), labels[:, :-1]], 1).masked_fill(
            torch.cat([torch.zeros_like(labels[:, :1]), labels[:, :-1]], 1) == -100, 0)
        later = torch.ones(labels.shape[1], labels.shape[1]).triu(1).bool()
        states = self.transformer(self.embed(input_ids), self.embed(moved), tgt_mask=later, src_key_padding_mask=attention_mask == 0,
                                  memory_key_padding_mask=attention_mask == 0)
        logits = states @ self.shared.weight.T
        loss = lambda smoothing: torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), label_smoothing=smoothing)
        # What is trained on, and what is measured.
        return {'logits': logits, 'loss': loss(0.1), 'likelihood': loss(0.0)}

    def renamed(self, tensors):
        """The tensors by the names of @sinter/models: queries, keys and values, which torch keeps in one, are three."""
        out = {}
        for key, t in tensors.items():
            key = ('model.' + key).replace('model.transformer.', 'model.').replace('multihead_attn', 'encoder_attn').replace('linear', 'fc')
            norms = ['self_attn_layer_norm', 'encoder_attn_layer_norm', 'final_layer_norm'] if '.decoder.' in key else ['self_attn_layer_norm', 'final_layer_norm']
            for i, norm in enumerate(norms):
                key = key.replace(f'norm{i + 1}', norm)
            if 'in_proj_' in key:
                for name, part in zip('qkv', t.chunk(3)):
                    out[key.replace('in_proj_', f'{name}_proj.')] = part
            else:
                out[key] = t
        return out


def save(path, tensors):
    """Writes a safetensors file: reals as F32, integers as I32."""
    save_file({k: (v.float() if v.is_floating_point() else v.int()).detach().contiguous().clone() for k, v in tensors.items()}, path)
    print(f'{path.relative_to(root)}: {path.stat().st_size / 1024:.0f} KiB')


def golden(name):
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    torch.manual_seed(1)
    model = models[name]().double()
    trained = {key: p for key, p in model.named_parameters() if p.requires_grad}
    buffers = {key: b for key, b in model.named_buffers()}
    with torch.no_grad():
        for key, p in {**trained, **buffers}.items():
            centre = 1.0 if 'norm' in key and key.endswith('weight') else 0.0
            noise = torch.randn(p.shape, generator=generator, dtype=torch.float64) * (0.2 if p.dim() == 2 else 0.1)
            p.copy_((noise + centre).float().double())
    ours = isinstance(model, Transformer)
    rename = model.renamed if ours else lambda tensors: tensors
    if ours:
        (goldens / name).mkdir(exist_ok=True)
        (goldens / name / 'config.json').write_text(json.dumps(model.config, indent=2) + '\n')
        save(goldens / name / 'model.safetensors', rename(trained))
    else:
        model.float().save_pretrained(goldens / name, safe_serialization=True)
        model.double()

    # Tokens from 3 on stand for words; 2 ends a text. Source and target have other lengths.
    def texts(lengths):
        lengths = torch.tensor(lengths)
        mask = (torch.arange(int(lengths.max())) < lengths[:, None]).long()
        ids = torch.randint(3, 57, mask.shape, generator=generator)
        ids[torch.arange(len(lengths)), lengths - 1] = 2
        return ids * mask + (1 - mask) * (0 if ours else model.config.pad_token_id), mask

    ids, mask = texts([13, 8, 5])
    batch = {'input_ids': ids, 'attention_mask': mask}
    if name.endswith('classifier'):
        batch['labels'] = torch.tensor([2, 0, 1])
    else:
        target, target_mask = texts([7, 9, 4])
        batch['labels'] = torch.where(target_mask == 1, target, -100)
        batch['labels'][0, 3] = -100
    out = model(**batch, **({} if ours else dict(output_hidden_states=True, output_attentions=True, use_cache=False)))
    out['loss'].backward()
    outputs = {}
    for key, value in out.items():
        outputs.update({key: value} if torch.is_tensor(value) else {f'{key}.{i}': t for i, t in enumerate(value)})
    save(goldens / f'{name}.expected.safetensors', {**batch, **outputs})
    grads = {key: p.grad for key, p in trained.items()}
    floor = IGNORED_BELOW * max(g.abs().max() for g in grads.values())
    save(goldens / f'{name}.gradients.safetensors', rename({key: torch.where(g.abs() < floor, 0.0, g) for key, g in grads.items()}))


for name in sys.argv[1:] or models:
    golden(name)
