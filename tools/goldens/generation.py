"""
What Hugging Face's `generate` writes with beams, rules and encoders, for @sinter/models: texts, and the scores of beams. The models are those
that families.py saved.

Usage: generation.py [NAME …]
"""

import json
import sys

from common import root, write

import torch
import transformers as hf

goldens = root / 'packages/models/goldens'

ENDS = list(range(0, 100, 9))  # many, so that texts end early
BEAMS = [
    {'num_beams': 2, 'max_new_tokens': 12},
    {'num_beams': 4, 'max_new_tokens': 14, 'eos_token_id': ENDS},
    {'num_beams': 3, 'max_new_tokens': 12, 'eos_token_id': ENDS, 'num_return_sequences': 3},
    {'num_beams': 4, 'max_new_tokens': 16, 'eos_token_id': ENDS, 'early_stopping': True},
    {'num_beams': 4, 'max_new_tokens': 16, 'eos_token_id': ENDS, 'early_stopping': 'never', 'num_return_sequences': 2},
    {'num_beams': 4, 'max_new_tokens': 16, 'eos_token_id': ENDS, 'early_stopping': 'never', 'length_penalty': -0.5},
    {'num_beams': 3, 'max_new_tokens': 16, 'eos_token_id': ENDS, 'length_penalty': 2.5},
    {'num_beams': 3, 'max_new_tokens': 16, 'eos_token_id': ENDS, 'length_penalty': 0.0, 'min_new_tokens': 5},
    {'num_beams': 3, 'max_new_tokens': 16, 'eos_token_id': 99, 'no_repeat_ngram_size': 2, 'repetition_penalty': 1.3},
    {'num_beams': 3, 'max_length': 11, 'eos_token_id': ENDS[:3], 'forced_eos_token_id': 5},
]
RULES = [
    {'max_new_tokens': 12, 'bad_words_ids': [[17], [40, 3], [8]], 'suppress_tokens': [30, 31, 32], 'begin_suppress_tokens': list(range(50))},
    {'max_new_tokens': 12, 'eos_token_id': [99], 'exponential_decay_length_penalty': [2, 1.5], 'forced_eos_token_id': [7]},
    {'max_new_tokens': 12, 'renormalize_logits': True},
]
SOURCES = [
    {'max_new_tokens': 12},
    {'max_new_tokens': 12, 'eos_token_id': ENDS, 'min_length': 4},
    {'max_new_tokens': 10, 'forced_bos_token_id': 21, 'forced_eos_token_id': 5},
]

# name: cases
models = {
    'tiny-gpt2': RULES + BEAMS,
    'tiny-llama': BEAMS[1:5],
    'tiny-bart': SOURCES + BEAMS,
    'tiny-t5': SOURCES + BEAMS[1:5],
    'tiny-marian': SOURCES + BEAMS[1:5],
}


def generation(name, cases):
    config = hf.AutoConfig.from_pretrained(goldens / name)
    reads = config.is_encoder_decoder
    auto = hf.AutoModelForSeq2SeqLM if reads else hf.AutoModelForCausalLM
    # In float64 Llama's masks overflow where a row is nothing but padding.
    model = auto.from_pretrained(goldens / name, attn_implementation='eager').eval()
    model = model if config.model_type == 'llama' else model.double()
    generator = torch.Generator().manual_seed(11)
    lengths = torch.tensor([7, 4, 2])
    places = torch.arange(7)
    mask = (places < lengths[:, None] if reads else places >= 7 - lengths[:, None]).long()
    ids = torch.randint(1, config.vocab_size - 3, (3, 7), generator=generator) * mask
    pad = {} if reads else {'pad_token_id': 0}
    rows = []
    for options in cases:
        if isinstance(options.get('eos_token_id'), list):
            options = {**options, 'eos_token_id': [end for end in options['eos_token_id'] if end < config.vocab_size]}
        out = model.generate(input_ids=ids, attention_mask=mask, return_dict_in_generate=True, output_scores=True, **pad, **options)
        scores = getattr(out, 'sequences_scores', None)
        found = {'options': options, 'output': out.sequences.tolist()}
        if scores is not None:
            found['scores'] = [round(score, 6) for score in scores.tolist()]
        rows.append(json.dumps(found))
    lines = ',\n'.join(rows)
    write(goldens / f'{name}.generate.json',
          f'{{"input_ids":{json.dumps(ids.tolist())},"attention_mask":{json.dumps(mask.tolist())},"cases":[\n{lines}\n]}}\n')


for name in sys.argv[1:] or models:
    generation(name, models[name])
