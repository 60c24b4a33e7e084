"""Golden values for packages/models/src/tokenizer, from Hugging Face's own (Rust) BERT tokenizer.

    python tools/goldens/tokenizer.py FOLDER_OF_ALL_MINILM_L6_V2

writes packages/models/src/tokenizer/goldens.test.json. The whole vocabulary is not stored: WordPiece only ever looks up
substrings of the text, so the pieces that occur in one of the texts give the same answer as all 30,522.
Needs `transformers` (made with 4.57; 5.x gives the same file).
"""
import json
import sys
from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import BertTokenizerFast

OUT = Path(__file__).parents[2] / 'packages/models/src/tokenizer/goldens.test.json'

TEXTS = [
    '',
    ' ',
    'Hello, world!',
    'The quick brown fox jumps over the lazy dog.',
    'unaffable antidisestablishmentarianism supercalifragilisticexpialidocious',
    'CAFÉ café cafe\u0301 naïve Ångström ÅÄÖ åäö ßẞ Straße',
    'ΑΣ ΟΔΟΣ ὈΔΥΣΣΕΎΣ Σίσυφος σ ς',
    'İstanbul DİYARBAKIR ı I i\u0307 ǅ ǆ',
    'Привет, мир! Ёлка йод щётка',
    'שָׁלוֹם עולם مرحبا بالعالم',
    'हिन्दी में लिखा हुआ पाठ ไทยแลนด์ ภาษาไทย',
    '你好，世界。東京都 日本語テキスト ひらがな カタカナ 한국어 텍스트',
    'mixed中文and英文words，full-width！ＡＢＣ１２３',
    'CJK extension B: \U00020000\U0002A6DF and C: \U0002A700 compat: \uF900\U0002F800 E: a\U0002B820b c\U0002B91Fd e\U0002B920f G: g\U00030000h end',
    'emoji 😀😃 👍🏽 👩‍👩‍👧‍👦 🇩🇪 ❤️ 🥰🫠 ☃ ✓ ©®™',
    'control\u0000chars\u0001\u0007in\u001bside\u007fand\u0085next\u200bzero\u200dwidth\ufeffbom\u00adsoft\ufffdreplacement',
    'white\tspace\nnew\r\nline\u00a0nbsp\u3000ideographic\u2028line\u2029para\u2003em\u1680ogham\u180emongolian\x0bvt\x0cff',
    'private \ue000use unassigned \u0378\U0003FFFD tag \U000E0041 end',
    'a' * 100,
    'a' * 101,
    'x' * 300 + ' short',
    'é' * 100 + ' ' + '\U0001F600' * 101,
    'before [SEP] inside [CLS] the [MASK] text [PAD] [UNK] after',
    'glued[SEP]tokens [sep] [ SEP ] [MASK]. [unused5] [UNK][UNK]',
    "don't can't I'm we've they're he's n't 'quoted' \"double\" `tick` ’curly’ “dquo”",
    'http://www.example.com/path?x=1&y=2#frag user@example.com $1,000.00 50% #tag @name a_b-c+d=e~f^g|h\\i<j>k{l}m[n]o',
    '1 2 3 10 100 1000 2002-08-22 ½ ² ³ ① Ⅷ ٣ 3.14159 1e-7',
    '——…—‹›«»¿¡§¶†‡•‰′″‽⁂ ، 、 。 「」 ・ ˈ ˋ ´ ¨ ¯ ¸ ° ± × ÷ ¬ € £ ¥ ¢',
    'combining: a\u0300\u0301\u0302 e\u20dd n\u0303 q\u0307\u0323 \u0301alone o\u0488 \u0903 का',
    'ﬁ ﬂ ﬀ ligatures ℌ 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟘𝟙 ㎏ Ω Å K',
    '   leading and trailing   ',
    'FREE!!! Click >>HERE<< to claim your $$$ prize *NOW* ... act fast!!1!',
]

PAIRS = [
    ['Who was Jim Henson?', 'Jim Henson was a puppeteer.'],
    ['', 'only the second'],
    ['only the first', ''],
    ['', ''],
    ['one two three four five six seven eight nine ten eleven twelve', 'a b'],
    ['a b', 'one two three four five six seven eight nine ten eleven twelve'],
    ['one two three four five six seven eight nine', 'ten eleven twelve thirteen fourteen fifteen sixteen seventeen'],
]

BATCH = [TEXTS[2], TEXTS[3], TEXTS[0], TEXTS[31]]

CORPUS = [
    'low low low low low lower lower newest newest newest newest newest newest widest widest widest',
    'The tokenizer learns tokens; tokens make words, words make sentences. Tokenization is a tokenizer\'s task.',
    'Größe größer am größten, großartig! Ein großer Straßenbahnfahrer fährt die große Straße entlang.',
    'she sells sea shells by the sea shore; the shells she sells are surely seashells.',
    'one fish two fish red fish blue fish. black fish blue fish old fish new fish.',
    '100 200 300 1000 2000 3000 10000 東京 東京 大阪 東北 北京 京都',
]


def encode(tok, text, pair=None, **options):
    # A batch of one: alone, Python takes an empty second text for none.
    e = tok(text if pair is None else [[text, pair]], **options)
    rows = {'input_ids': e['input_ids'], 'token_type_ids': e['token_type_ids'], 'attention_mask': e['attention_mask']}
    return rows if pair is None else {k: v[0] for k, v in rows.items()}


def train(vocab_size, min_frequency):
    """What `trainWordPiece` must learn from CORPUS. Python lists ##letters in hash order, so ties between equally
    frequent pairs fall differently from run to run: `always` is what all runs learn, `sometimes` what only some do."""
    runs = []
    for _ in range(300):
        t = Tokenizer(models.WordPiece(unk_token='[UNK]'))
        t.normalizer = normalizers.BertNormalizer(lowercase=True)
        t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        t.train_from_iterator(CORPUS, trainers.WordPieceTrainer(
            vocab_size=vocab_size, min_frequency=min_frequency, show_progress=False, limit_alphabet=1000,
            special_tokens=['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']))
        runs.append(set(t.get_vocab()))
    always = set.intersection(*runs)
    return {'vocab_size': vocab_size, 'min_frequency': min_frequency,
            'always': sorted(always), 'sometimes': sorted(set.union(*runs) - always)}


def main():
    tok = BertTokenizerFast.from_pretrained(sys.argv[1])
    cased = BertTokenizerFast.from_pretrained(sys.argv[1], do_lower_case=False, tokenize_chinese_chars=False)
    accents = BertTokenizerFast.from_pretrained(sys.argv[1], do_lower_case=True, strip_accents=False)
    everything = TEXTS + [t for p in PAIRS for t in p] + BATCH
    seen = ' '.join(t.backend_tokenizer.normalizer.normalize_str(x) for t in (tok, cased, accents) for x in everything)
    specials = set(tok.all_special_tokens)
    vocab = {p: i for p, i in tok.get_vocab().items() if p in specials or p.removeprefix('##') in seen}

    golden = {
        'vocab': dict(sorted(vocab.items(), key=lambda kv: kv[1])),
        'texts': [{
            'text': x,
            'tokens': tok.tokenize(x),
            'input_ids': tok(x)['input_ids'],
            'cased': cased(x)['input_ids'],
            'accents': accents(x)['input_ids'],
            'decoded': tok.decode(tok(x)['input_ids']),
            'decoded_plain': tok.decode(tok(x)['input_ids'], skip_special_tokens=True),
            'decoded_clean': tok.decode(tok(x)['input_ids'], clean_up_tokenization_spaces=True),
        } for x in TEXTS],
        'pairs': [{
            'text': a, 'text_pair': b, 'whole': encode(tok, a, b),
            'truncated': [{'truncation': how, 'max_length': n, **encode(tok, a, b, truncation=how, max_length=n)}
                          for how in ('longest_first', 'only_first', 'only_second') for n in (3, 4, 7, 8, 11, 12)
                          if fits(tok, a, b, how, n)],
        } for a, b in PAIRS],
        'batches': [{'options': o, **encode(tok, BATCH, **o)} for o in (
            {'padding': True},
            {'padding': 'longest', 'truncation': True, 'max_length': 6},
            {'padding': 'max_length', 'max_length': 16, 'truncation': True},
            {'padding': True, 'pad_to_multiple_of': 8},
            {'padding': True, 'padding_side': 'left'},
            {'padding': False, 'add_special_tokens': False},
        )],
        'batch': BATCH,
        'corpus': CORPUS,
        'trained': [train(100, 0), train(150, 2), train(10_000, 2)],
    }
    OUT.write_text(json.dumps(golden, ensure_ascii=True, separators=(',', ':')).replace('},{', '},\n{') + '\n')
    print(OUT, OUT.stat().st_size, 'bytes,', len(vocab), 'pieces')


def fits(tok, a, b, how, n):
    """Python refuses (with an error or a warning) to cut a part that is shorter than what must go."""
    over = len(tok([[a, b]])['input_ids'][0]) - n
    part = {'only_first': a, 'only_second': b}.get(how)
    return part is None or len(tok.tokenize(part)) > over or over <= 0


main()
