"""
What sacreBLEU says of translations, for @sinter/trainer: real names of emoji in German and Chinese with letters and words changed, and awkward texts.

Usage: scores.py
"""

import json
import random

from common import root, write

import sacrebleu

cldr = root / 'node_modules/cldr-annotations-full/annotations'
AWKWARD = [('', 'something'), ('something', ''), ('a', 'a'), ('1,000.5 - 3-4, "x" & y', '1,000.5-3-4 &quot;x&quot; &amp; y'), ('Ｆｕｌｌ　width！', 'Full width!'),
           ('“quoted” – dash…', '"quoted" - dash...'), ('it’s (not) [so] {bad}/worse', "it's not so bad"), ('.5 and 5.', '5. and .5'), ('\u65e5\u672c 2001,1', '\u65e5\u672c 2001.1')]


def changed(text, chance):
    kinds = [lambda c: '', lambda c: c + c, lambda c: ' ', lambda c: chance.choice('aeßü面手, .'), lambda c: c.upper()]
    return ''.join(chance.choice(kinds)(c) if chance.random() < 0.12 else c for c in text)


cases = []
for language, tokenize in [('de', '13a'), ('zh', 'zh'), ('zh', '13a'), ('de', 'char'), ('awkward', '13a'), ('awkward', 'zh')]:
    chance = random.Random(language + tokenize)
    if language == 'awkward':
        pairs = AWKWARD
    else:
        names = json.loads((cldr / language / 'annotations.json').read_text())['annotations']['annotations']
        references = chance.sample([entry['tts'][0] for entry in names.values() if 'tts' in entry], 24)
        pairs = [(changed(name, chance), name) for name in references]
    for some in (pairs, pairs[:3], pairs[3:4]):
        said, wanted = [p for p, _ in some], [r for _, r in some]
        cases.append({'tokenize': tokenize, 'predictions': said, 'references': wanted,
                      'bleu': sacrebleu.corpus_bleu(said, [wanted], tokenize=tokenize).score,
                      'chrf': sacrebleu.corpus_chrf(said, [wanted]).score,
                      'chrf1': sacrebleu.corpus_chrf(said, [wanted], beta=1, char_order=4).score})
write(root / 'packages/trainer/goldens/scores.json', '[\n' + ',\n'.join(json.dumps(case, ensure_ascii=False) for case in cases) + '\n]\n')
