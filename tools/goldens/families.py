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

SMALL = dict(vocab_size=60, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, max_position_embeddings=20,
             hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, attn_implementation='eager')
BERT = dict(**SMALL)
ROBERTA = dict(**SMALL, type_vocab_size=1, layer_norm_eps=1e-5)
DISTIL = dict(vocab_size=60, dim=16, n_layers=2, n_heads=2, hidden_dim=24, max_position_embeddings=20, dropout=0.0, attention_dropout=0.0,
              qa_dropout=0.0, seq_classif_dropout=0.0, attn_implementation='eager')

# name: (model class, configuration, what it is trained on: one of `labels`)
models = {
    'tiny-gpt2': (hf.GPT2LMHeadModel, hf.GPT2Config(**GPT2), 'tokens'),
    'tiny-gpt2-classifier': (hf.GPT2ForSequenceClassification, hf.GPT2Config(**GPT2, num_labels=3, pad_token_id=0), 'texts'),
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
    model = make(config).double()
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
    out = model(**batch, output_hidden_states=True, output_attentions=True, **({'use_cache': False} if config.model_type == 'gpt2' else {}))
    save(goldens / f'{name}.expected.safetensors', {**batch, **flat(out)})
    if 'loss' not in out:
        return
    out.loss.backward()
    grads = {key: p.grad for key, p in model.named_parameters() if p.requires_grad}
    floor = IGNORED_BELOW * max(g.abs().max() for g in grads.values())
    save(goldens / f'{name}.gradients.safetensors', {key: torch.where(g.abs() < floor, 0.0, g) for key, g in grads.items()})


def flat(out):
    """All tensors that a model gives, those of lists by their number: `attentions.0`."""
    single = {key: value for key, value in out.items() if torch.is_tensor(value)}
    several = {key: value for key, value in out.items() if isinstance(value, tuple) and torch.is_tensor(value[0])}
    return {**single, **{f'{key}.{i}': t for key, all in several.items() for i, t in enumerate(all)}}


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
    if name == 'tiny-gpt2':
        generation(name, GENERATION)
