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
# Masks are the least number of their dtype, and some models take the softmax in f32, where the least f64 is −∞ and a row of padding not a number.
torch.finfo = lambda dtype, plain=torch.finfo: plain(torch.float32)
IGNORED_BELOW = 1e-12  # gradients this far under the largest of all are rounding: written as 0

GPT2 = dict(vocab_size=100, n_embd=32, n_layer=2, n_head=4, n_positions=40, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
            bos_token_id=98, eos_token_id=99, attn_implementation='eager')

SMALL = dict(vocab_size=60, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, max_position_embeddings=20,
             hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, attn_implementation='eager')
BERT = dict(**SMALL)
ROBERTA = dict(**SMALL, type_vocab_size=1, layer_norm_eps=1e-5)
DISTIL = dict(vocab_size=60, dim=16, n_layers=2, n_heads=2, hidden_dim=24, max_position_embeddings=20, dropout=0.0, attention_dropout=0.0,
              qa_dropout=0.0, seq_classif_dropout=0.0, attn_implementation='eager')

LLAMA = dict(vocab_size=100, hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
             max_position_embeddings=40, rope_theta=100.0, bos_token_id=98, eos_token_id=99, attn_implementation='eager')
LLAMA3 = dict(rope_type='llama3', factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=10)
# What the text of 24 tokens of `ropes` is read with: every kind of `rope_scaling`.
ROPES = {
    'default': dict(),
    'linear': dict(rope_scaling=dict(rope_type='linear', factor=2.5)),
    'dynamic': dict(rope_scaling=dict(rope_type='dynamic', factor=3.0), max_position_embeddings=16),
    'dynamic, short': dict(rope_scaling=dict(rope_type='dynamic', factor=3.0)),
    'yarn': dict(rope_scaling=dict(rope_type='yarn', factor=4.0)),
    'yarn, all keys': dict(rope_scaling=dict(rope_type='yarn', factor=4.0, attention_factor=0.8, beta_fast=2.0, beta_slow=0.5)),
    'longrope': dict(rope_scaling=dict(rope_type='longrope', factor=4.0, short_factor=[1.0, 1.1, 1.2, 1.3], long_factor=[1.0, 2.0, 3.0, 4.0])),
    'longrope, short': dict(rope_scaling=dict(rope_type='longrope', factor=1.0, short_factor=[1.0, 1.1, 1.2, 1.3], long_factor=[1.0, 2.0, 3.0, 4.0])),
    'longrope, original': dict(rope_scaling=dict(rope_type='longrope', short_factor=[1.0, 1.1, 1.2, 1.3], long_factor=[1.0, 2.0, 3.0, 4.0]),
                               original_max_position_embeddings=10),
    'llama3': dict(rope_scaling=LLAMA3),
    'an old name': dict(rope_scaling=dict(type='linear', factor=2.5)),
}

# name: (model class, configuration, what it is trained on: one of `labels`)
models = {
    'tiny-gpt2': (hf.GPT2LMHeadModel, hf.GPT2Config(**GPT2), 'tokens'),
    'tiny-gpt2-classifier': (hf.GPT2ForSequenceClassification, hf.GPT2Config(**GPT2, num_labels=3, pad_token_id=0), 'texts'),
    'tiny-llama': (hf.LlamaForCausalLM, hf.LlamaConfig(**LLAMA, rope_scaling=LLAMA3), 'tokens'),
    'tiny-llama-classifier': (hf.LlamaForSequenceClassification, hf.LlamaConfig(**{
        **LLAMA, 'num_key_value_heads': 1, 'num_hidden_layers': 1}, head_dim=6, attention_bias=True, mlp_bias=True, num_labels=3, pad_token_id=0), 'texts'),
    'tiny-qwen2': (hf.Qwen2ForCausalLM, hf.Qwen2Config(
        **LLAMA, tie_word_embeddings=True, use_sliding_window=True, sliding_window=9, max_window_layers=1), 'tokens'),
    'tiny-mistral': (hf.MistralForCausalLM, hf.MistralConfig(**{**LLAMA, 'num_hidden_layers': 1}, sliding_window=9), 'tokens'),
    'tiny-bert-masked-lm': (hf.BertForMaskedLM, hf.BertConfig(**BERT), 'masked'),
    'tiny-bert-untied': (hf.BertForMaskedLM, hf.BertConfig(**BERT, tie_word_embeddings=False), 'masked'),
    'tiny-bert-next-sentence': (hf.BertForNextSentencePrediction, hf.BertConfig(**BERT), 'texts'),
    'tiny-bert-pretraining': (hf.BertForPreTraining, hf.BertConfig(**BERT), 'pretraining'),
    'tiny-bert-regression': (hf.BertForSequenceClassification, hf.BertConfig(**BERT, num_labels=1), 'numbers'),
    'tiny-bert-several': (hf.BertForSequenceClassification, hf.BertConfig(**BERT, num_labels=4, problem_type='multi_label_classification'), 'several'),
    'tiny-bert-tokens': (hf.BertForTokenClassification, hf.BertConfig(**BERT, num_labels=5), 'classes'),
    'tiny-bert-answers': (hf.BertForQuestionAnswering, hf.BertConfig(**BERT), 'answers'),
    'tiny-bert-choices': (hf.BertForMultipleChoice, hf.BertConfig(**BERT), 'choices'),
    'tiny-roberta': (hf.RobertaModel, hf.RobertaConfig(**ROBERTA), None),
    'tiny-roberta-masked-lm': (hf.RobertaForMaskedLM, hf.RobertaConfig(**ROBERTA), 'masked'),
    'tiny-roberta-classifier': (hf.RobertaForSequenceClassification, hf.RobertaConfig(**ROBERTA, num_labels=3), 'texts'),
    'tiny-roberta-tokens': (hf.RobertaForTokenClassification, hf.RobertaConfig(**ROBERTA, num_labels=5), 'classes'),
    'tiny-roberta-answers': (hf.RobertaForQuestionAnswering, hf.RobertaConfig(**ROBERTA), 'answers'),
    'tiny-roberta-choices': (hf.RobertaForMultipleChoice, hf.RobertaConfig(**ROBERTA), 'choices'),
    'tiny-distilbert': (hf.DistilBertModel, hf.DistilBertConfig(**DISTIL), None),
    'tiny-distilbert-masked-lm': (hf.DistilBertForMaskedLM, hf.DistilBertConfig(**DISTIL), 'masked'),
    'tiny-distilbert-sinusoids': (hf.DistilBertForMaskedLM, hf.DistilBertConfig(**DISTIL, sinusoidal_pos_embds=True), 'masked'),
    'tiny-distilbert-classifier': (hf.DistilBertForSequenceClassification, hf.DistilBertConfig(**DISTIL, num_labels=3), 'texts'),
    'tiny-distilbert-tokens': (hf.DistilBertForTokenClassification, hf.DistilBertConfig(**DISTIL, num_labels=5), 'classes'),
    'tiny-distilbert-answers': (hf.DistilBertForQuestionAnswering, hf.DistilBertConfig(**DISTIL), 'answers'),
    'tiny-distilbert-choices': (hf.DistilBertForMultipleChoice, hf.DistilBertConfig(**DISTIL), 'choices'),
}

LENGTHS = torch.tensor([13, 8, 5])


def some(labels, generator):
    """Labels of about a third of the tokens that have one."""
    return torch.where(torch.rand(labels.shape, generator=generator) < 0.35, labels, -100)


def tokens(ids, mask, config, generator):
    labels = torch.where(mask == 1, ids, -100)
    labels[0, 3] = -100
    return {'labels': labels}


def masked(ids, mask, config, generator):
    return {'labels': some(torch.where(mask == 1, torch.randint(1, config.vocab_size, ids.shape, generator=generator), -100), generator)}


def texts(ids, mask, config, generator):
    return {'labels': torch.randint(0, config.num_labels, (len(ids),), generator=generator)}


# what a model is trained on, by a name for it: ids [batch, seq] and their mask to labels, by the names of Hugging Face's arguments
labels = {
    None: lambda *_: {},
    'tokens': tokens,
    'masked': masked,
    'texts': texts,
    'pretraining': lambda *all: {**masked(*all), 'next_sentence_label': texts(*all)['labels']},
    'numbers': lambda ids, mask, config, generator: {'labels': torch.randn(len(ids), generator=generator).double()},
    'several': lambda ids, mask, config, generator: {
        'labels': torch.randint(0, 2, (len(ids), config.num_labels), generator=generator).double()},
    'classes': lambda ids, mask, config, generator: {
        'labels': torch.where(mask == 1, torch.randint(0, config.num_labels, ids.shape, generator=generator), -100)},
    # The last answer lies behind the end, and does not count.
    'answers': lambda ids, mask, config, generator: {
        'start_positions': torch.tensor([2, 4, 17]), 'end_positions': torch.tensor([5, 4, 18])},
    'choices': lambda *_: {'labels': torch.tensor([1, 0, 1])},
}


def save(path, tensors):
    """Writes a safetensors file: reals as F32, integers as I32."""
    save_file({k: (v.float() if v.is_floating_point() else v.int()).detach().contiguous() for k, v in tensors.items()}, path)
    print(f'{path.relative_to(root)}: {path.stat().st_size / 1024:.0f} KiB')


def golden(name):
    make, config, labelled = models[name]
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    torch.manual_seed(1)
    model = windowed(make(config).double())
    with torch.no_grad():
        for key, p in model.named_parameters():
            if not p.requires_grad:
                continue
            centre = 1.0 if 'ln_' in key and key.endswith('weight') or 'norm' in key.lower() and key.endswith('weight') else 0.0
            noise = torch.randn(p.shape, generator=generator, dtype=torch.float64) * (0.12 if p.dim() == 2 else 0.1)
            p.copy_((noise + centre).float().double())
    model.float().save_pretrained(goldens / name, safe_serialization=True)
    model.double()

    width = int(LENGTHS.max())
    mask = (torch.arange(width) < LENGTHS[:, None]).long()
    pad = config.pad_token_id or 0
    words = min(97, config.vocab_size - 3)
    ids = torch.where(mask == 1, torch.randint(1 + pad, words, mask.shape, generator=generator), pad)
    batch = {'input_ids': ids, 'attention_mask': mask, **labels[labelled](ids, mask, config, generator)}
    if config.model_type == 'bert':
        batch['token_type_ids'] = (torch.arange(width) > LENGTHS[:, None] // 2).long() * mask
    if labelled == 'choices':
        for key in set(batch) - {'labels'}:
            batch[key] = torch.stack([batch[key], batch[key].roll(1, 0)], 1)
    out = model(**batch, output_hidden_states=True, output_attentions=True, **({'use_cache': False} if config.model_type in DECODERS else {}))
    save(goldens / f'{name}.expected.safetensors', {**batch, **flat(out)})
    if 'loss' not in out:
        return
    out.loss.backward()
    grads = {key: p.grad for key, p in model.named_parameters() if p.requires_grad}
    floor = IGNORED_BELOW * max(g.abs().max() for g in grads.values())
    save(goldens / f'{name}.gradients.safetensors', {key: torch.where(g.abs() < floor, 0.0, g) for key, g in grads.items()})


DECODERS = ['gpt2', 'llama', 'qwen2', 'mistral']


def windowed(model):
    """Qwen2 with the window that its layers have on a GPU; elsewhere this version of its code leaves it out (and says so)."""
    if model.config.model_type == 'qwen2' and model.config.use_sliding_window:
        for block in model.model.layers[model.config.max_window_layers:]:
            def forward(*, attention_mask, cache_position, plain=block.self_attn.forward, **rest):
                keys = torch.arange(attention_mask.shape[-1])
                outside = keys <= cache_position[:, None] - model.config.sliding_window
                mask = attention_mask.masked_fill(outside, torch.finfo(attention_mask.dtype).min)
                return plain(attention_mask=mask, cache_position=cache_position, **rest)
            block.self_attn.forward = forward
    return model


def ropes(name):
    """The logits of a text of 24 tokens with every kind of `rope_scaling`, by the same weights."""
    ids = torch.randint(1, 97, (1, 24), generator=torch.Generator().manual_seed(5))
    logits = {}
    for kind, keys in ROPES.items():
        # What scales nothing stands in the checkpoint's own configuration.
        config = hf.LlamaConfig(**{**LLAMA, **keys})
        model = hf.LlamaForCausalLM.from_pretrained(goldens / name, config=config, attn_implementation='eager').double()
        with torch.no_grad():
            logits[kind] = model(input_ids=ids).logits[0, ::4]
    save(goldens / f'{name}.ropes.safetensors', {'input_ids': ids, **logits})
    write(goldens / f'{name}.ropes.json', json.dumps(ROPES, indent=2) + '\n')


def flat(out):
    """All tensors that a model gives, those of lists by their number: `attentions.0`."""
    single = {key: value for key, value in out.items() if torch.is_tensor(value)}
    several = {key: value for key, value in out.items() if isinstance(value, tuple) and torch.is_tensor(value[0])}
    return {**single, **{f'{key}.{i}': t for key, all in several.items() for i, t in enumerate(all)}}


def generation(name, cases):
    """What `generate` writes after prompts of different lengths, padded on the left."""
    model = windowed(models[name][0].from_pretrained(goldens / name, attn_implementation='eager').double().eval())
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
    if name == 'tiny-gpt2':
        generation(name, GENERATION)
    if name in ['tiny-llama', 'tiny-qwen2', 'tiny-mistral']:
        generation(name, GENERATION[:1] + GENERATION[-1:])
    if name == 'tiny-llama':
        ropes(name)
