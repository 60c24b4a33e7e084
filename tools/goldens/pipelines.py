"""
What Python's pipelines answer, for @sinter/models: tiny seeded models with tokenizers that were learnt here, and the results of
`transformers.pipeline` on them. Writes packages/models/goldens/pipelines: a folder for each model, and expected.json.

Usage: pipelines.py

Positions in results count characters as Python does; JavaScript's strings count UTF-16 units.
"""

import json
import shutil
import warnings

from common import root

import torch
from tokenizers import ByteLevelBPETokenizer, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BartConfig, BartForConditionalGeneration, BertConfig, BertForMaskedLM, BertForQuestionAnswering,
    BertForSequenceClassification, BertForTokenClassification, BertTokenizerFast, GPT2Config, GPT2LMHeadModel, GPT2TokenizerFast,
    RobertaConfig, RobertaForTokenClassification, RobertaTokenizerFast, logging, pipeline,
)

warnings.simplefilter('ignore')
logging.set_verbosity_error()
goldens = root / 'packages/models/goldens/pipelines'

CORPUS = [
    'The river Sinter runs from the hills above Old Marlow down to the sea at Port Ellen.',
    'In the spring of 1897 Ada Merrow walked the whole length of it, and wrote down what she saw.',
    'Her notebooks, which are kept in the library of Port Ellen, are full of birds, mills and bridges.',
    'The mill at Old Marlow was built by her grandfather, Jonas Merrow, who had come from London with two horses.',
    'Nobody knows why he stopped there; perhaps the horses were tired, perhaps he liked the sound of the water.',
    'The library opens at nine and closes at five; on Sundays it is closed.',
    'A boat leaves for the islands every morning, unless the wind is from the north.',
    'She asked the miller how deep the water was, and he answered that it was deep enough for a horse.',
    'Words are cut into pieces; pieces that are seldom seen are cut into letters.',
]
BPE_EXTRA = ['I am here. You are there! Is it good? Yes, it is.', 'user assistant system']


def wordpiece() -> BertTokenizerFast:
    """BERT's normalizer, splitter and template over a small vocabulary."""
    tokenizer = Tokenizer(models.WordPiece(unk_token='[UNK]'))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
    tokenizer.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=220, special_tokens=special, show_progress=False))
    tokenizer.post_processor = processors.TemplateProcessing(
        single='[CLS] $A [SEP]', pair='[CLS] $A [SEP] $B:1 [SEP]:1', special_tokens=[('[CLS]', 2), ('[SEP]', 3)])
    return BertTokenizerFast(tokenizer_object=tokenizer, model_max_length=48, do_lower_case=True)


def byte_level(kind, **special):
    """A byte-level BPE of GPT-2's kind, as few merges as possible."""
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(CORPUS + BPE_EXTRA, vocab_size=320, min_frequency=2, special_tokens=list(dict.fromkeys(special.values())), show_progress=False)
    folder = goldens / 'bpe.tmp'
    folder.mkdir(parents=True)
    bpe.save_model(str(folder))
    made = kind(str(folder / 'vocab.json'), str(folder / 'merges.txt'), model_max_length=48, **special)
    shutil.rmtree(folder)
    return made


def seeded(model, seed, deviation=0.35):
    """Every parameter random and large enough for clear answers; norms around 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            norm = 'norm' in name.lower() or '.ln_' in name
            centre = 1.0 if norm and name.endswith('weight') else 0.0
            p.copy_(torch.randn(p.shape, generator=generator) * (deviation if p.dim() == 2 else 0.2) + centre)
    return model.eval()


SMALL = {'hidden_size': 16, 'num_hidden_layers': 2, 'num_attention_heads': 2, 'intermediate_size': 32, 'max_position_embeddings': 48}
NER = ['O', 'B-PER', 'I-PER', 'B-LOC', 'I-LOC']


def labels(names):
    return {'id2label': dict(enumerate(names)), 'label2id': {n: i for i, n in enumerate(names)}}


def save(name, model, tokenizer):
    folder = goldens / name
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    for extra in ['vocab.txt', 'vocab.json', 'merges.txt', 'special_tokens_map.json', 'added_tokens.json']:
        (folder / extra).unlink(missing_ok=True)  # tokenizer.json has all of it
    (folder / 'tokenizer.json').write_text(json.dumps(json.loads((folder / 'tokenizer.json').read_text()), ensure_ascii=False, separators=(',', ':')))


CHAT = ("{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}")


def make_models():
    shutil.rmtree(goldens, ignore_errors=True)
    words = wordpiece()
    size = {'vocab_size': len(words), **SMALL}
    save('nli', seeded(BertForSequenceClassification(BertConfig(**size, **labels(['contradiction', 'neutral', 'entailment']))), 1), words)
    save('multi-label', seeded(BertForSequenceClassification(BertConfig(
        **size, **labels(['river', 'mill', 'boat']), problem_type='multi_label_classification')), 2), words)
    save('ner', seeded(BertForTokenClassification(BertConfig(**size, **labels(NER))), 3), words)
    save('answers', seeded(BertForQuestionAnswering(BertConfig(**size)), 4), words)
    save('masks', seeded(BertForMaskedLM(BertConfig(**size)), 5), words)

    roberta = byte_level(RobertaTokenizerFast, bos_token='<s>', pad_token='<pad>', eos_token='</s>', unk_token='<unk>', mask_token='<mask>')
    save('ner-bytes', seeded(RobertaForTokenClassification(RobertaConfig(
        vocab_size=len(roberta), **{**SMALL, 'max_position_embeddings': 50}, type_vocab_size=1, pad_token_id=roberta.pad_token_id,
        bos_token_id=roberta.bos_token_id, eos_token_id=roberta.eos_token_id, **labels(NER))), 6), roberta)

    gpt2 = byte_level(GPT2TokenizerFast, bos_token='<|endoftext|>', eos_token='<|endoftext|>', unk_token='<|endoftext|>')
    gpt2.chat_template = CHAT
    save('writer', seeded(GPT2LMHeadModel(GPT2Config(
        vocab_size=len(gpt2), n_embd=16, n_layer=2, n_head=2, n_positions=96, bos_token_id=0, eos_token_id=0)), 7), gpt2)

    bart = BartConfig(vocab_size=len(roberta), d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
                      decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, max_position_embeddings=48,
                      pad_token_id=roberta.pad_token_id, bos_token_id=roberta.bos_token_id, eos_token_id=roberta.eos_token_id,
                      decoder_start_token_id=roberta.eos_token_id, forced_eos_token_id=roberta.eos_token_id,
                      task_specific_params={'translation_en_to_de': {'prefix': 'Words: ', 'num_beams': 2}})
    save('rewriter', seeded(BartForConditionalGeneration(bart), 8), roberta)


TEXTS = ['Ada Merrow lives in Port Ellen.', '', 'The mill 😀 at Old Marlow — built by Jonas, of London!', ' '.join(CORPUS)]
CONTEXT = ' '.join(CORPUS)
QUESTIONS = [
    {'question': 'Who walked it?', 'context': CORPUS[1]},
    {'question': 'Where is the library?', 'context': CONTEXT},
    {'question': 'What 😀 is closed?', 'context': 'On Sundays 😀 the library is closed; 😀 the mill never is.'},
]


def cases():
    """Task, model folder, input, options of the call, and further options that only Python needs."""
    for text in [*TEXTS, {'text': CORPUS[0], 'text_pair': CORPUS[1]}]:
        cut = {'truncation': True}
        yield 'text-classification', 'nli', text, {}, cut
        yield 'text-classification', 'nli', text, {'top_k': 2}, cut
        yield 'text-classification', 'nli', text, {'top_k': None, 'function_to_apply': 'sigmoid'}, cut
        yield 'text-classification', 'multi-label', text, {'top_k': None}, cut
        yield 'text-classification', 'nli', text, {'top_k': 1, 'function_to_apply': 'none'}, cut
    for model in ['ner', 'ner-bytes']:
        for text in TEXTS:
            if model == 'ner-bytes' and '😀' in text:
                continue  # a character of several tokens has the same offsets for each: held by the plain strategies below
            for strategy in ['none', 'simple', 'first', 'average', 'max']:
                yield 'token-classification', model, text, {'aggregation_strategy': strategy}, {}
        yield 'token-classification', model, TEXTS[2], {'aggregation_strategy': 'simple', 'ignore_labels': []}, {}
        yield 'token-classification', model, CONTEXT, {'aggregation_strategy': 'simple', 'stride': 8}, {}
        yield 'token-classification', model, CONTEXT, {'aggregation_strategy': 'first', 'stride': 16, 'ignore_labels': ['O', 'PER']}, {}
    for question in QUESTIONS:
        yield 'question-answering', 'answers', question, {}, {}
        yield 'question-answering', 'answers', question, {'top_k': 3}, {}
        yield 'question-answering', 'answers', question, {'top_k': 5, 'max_answer_len': 4, 'handle_impossible_answer': True}, {}
        yield 'question-answering', 'answers', question, {'top_k': 2, 'doc_stride': 6, 'max_seq_len': 30, 'align_to_words': False}, {}
    for text in ['The [MASK] runs to the sea.', '[MASK]', 'Ada 😀 [MASK] !']:
        yield 'fill-mask', 'masks', text, {}, {}
        yield 'fill-mask', 'masks', text, {'top_k': 2, 'targets': ['mill', 'river', 'horses', 'the']}, {}
    yield 'fill-mask', 'masks', 'The [MASK] runs to the [MASK].', {'top_k': 2, 'every_mask': True}, {}
    for text in TEXTS[:3]:
        yield 'feature-extraction', 'masks', text, {}, {}
    for text in [TEXTS[0], TEXTS[2], CORPUS[1]]:
        yield 'zero-shot-classification', 'nli', text, {'candidate_labels': ['river', 'mill', 'boat']}, {}
        yield 'zero-shot-classification', 'nli', text, {'candidate_labels': ['river', 'mill', 'boat'], 'multi_label': True}, {}
        yield 'zero-shot-classification', 'nli', text, {'candidate_labels': ['deep water'], 'hypothesis_template': 'It was {} then.'}, {}
    greedy = {'do_sample': False, 'max_new_tokens': 12}
    plain = {'clean_up_tokenization_spaces': False}
    for text in ['The river', 'Ada Merrow 😀 walked', CORPUS[3]]:
        yield 'text-generation', 'writer', text, greedy, {}
        yield 'text-generation', 'writer', text, {**greedy, 'return_full_text': False}, {}
        yield 'text-generation', 'writer', text, {**greedy, 'num_beams': 3, 'num_return_sequences': 2}, {}
    chat = [{'role': 'system', 'content': 'Words are cut.'}, {'role': 'user', 'content': 'Who is there?'}]
    yield 'text-generation', 'writer', chat, greedy, {}
    yield 'text-generation', 'writer', chat, {**greedy, 'return_full_text': False}, {}
    yield 'text-generation', 'writer', [*chat, {'role': 'assistant', 'content': 'Ada'}], greedy, {}
    for task in ['text2text-generation', 'summarization', 'translation', 'translation_en_to_de']:
        for text in TEXTS[:3]:
            yield task, 'rewriter', text, greedy, {}
        yield task, 'rewriter', TEXTS[0], {**greedy, 'num_beams': 3, 'num_return_sequences': 2}, {}
    yield 'summarization', 'rewriter', TEXTS[3], greedy, {'truncation': True}


def plain(value):
    """numpy's numbers as Python's, with 7 digits."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if hasattr(value, 'item'):
        value = value.item()
    return float(f'{value:.7g}') if isinstance(value, float) else value


def answers():
    made = {}
    for task, name, given, options, more in cases():
        key = (task, name)
        if key not in made:
            made[key] = pipeline(task, str(goldens / name), device='cpu')
        said = {k: v for k, v in options.items() if k != 'every_mask'}
        if task == 'question-answering':
            result = made[key](**given, **said)
        else:
            result = made[key](given, **said, **more)
        yield {'task': task, 'model': name, 'input': given, 'options': options, 'result': plain(result)}


make_models()
lines = [json.dumps(a, ensure_ascii=False) for a in answers()]
(goldens / 'expected.json').write_text('[\n' + ',\n'.join(lines) + '\n]\n')
for path in sorted(goldens.rglob('*')):
    if path.is_file():
        print(f'{path.relative_to(root)}: {path.stat().st_size / 1024:.0f} KiB')
