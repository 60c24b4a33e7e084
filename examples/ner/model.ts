/** Where the model comes from, and how it reads words: a class for each, by its first piece. */
import { findMiniLM } from '@sinter/example-spam/model.ts';
import { BertForTokenClassification, BertTokenizer, trainWordPiece } from '@sinter/models';
import type { PreTrainedTokenizer } from '@sinter/models';
import type { PredictionOutput } from '@sinter/trainer';
import { isCapitalised, labels, labelsOf, spansOf } from './data/words.ts';
import type { Span } from './data/words.ts';
import type { Labelled } from './data/split.ts';

/** A classifier of tokens with its tokenizer, and whether it has read anything before. */
export interface Start {
  readonly name: string;
  readonly model: BertForTokenClassification;
  readonly tokenizer: PreTrainedTokenizer;
  readonly pretrained: boolean;
}

const classes = {
  num_labels: labels.length,
  id2label: Object.fromEntries(labels.map((name, i) => [i, name])),
  label2id: Object.fromEntries(labels.map((name, i) => [name, i])),
};

/** all-MiniLM-L6-v2 (6 layers, 22.7 M parameters), or where it cannot be had a small BERT with a vocabulary of these texts. */
export async function startModel(
  texts: readonly string[],
  say: (line: string) => void,
  fromScratch = false,
): Promise<Start> {
  const found = fromScratch ? undefined : await findMiniLM(say);
  if (found) {
    const { folder } = found;
    const model = await BertForTokenClassification.from_pretrained(folder, { ...classes, on_notice: () => undefined });
    return {
      name: 'all-MiniLM-L6-v2',
      model,
      tokenizer: await BertTokenizer.from_pretrained(folder),
      pretrained: true,
    };
  }
  const tokenizer = trainWordPiece(texts, { vocab_size: 6000 });
  const model = BertForTokenClassification.from_config(
    {
      ...classes,
      vocab_size: tokenizer.vocab_size,
      hidden_size: 128,
      num_hidden_layers: 3,
      num_attention_heads: 4,
      intermediate_size: 512,
      max_position_embeddings: 512,
    },
    { seed: 42 },
  );
  return { name: 'small BERT', model, tokenizer, pretrained: false };
}

/** A sentence as a model is fed it. */
export interface Example {
  readonly input_ids: readonly number[];
  /** 1 where the word has a capital. These vocabularies are lower-case; BERT's embedding of a second text, which no sentence needs, tells the case. */
  readonly token_type_ids: readonly number[];
  /** The class of the first piece of each word, −100 for the others. */
  readonly labels: readonly number[];
}

/** Makes examples of sentences, cut to `max_length` tokens. Words are cut into pieces one by one. What is doubtful has no label, instead of `O`. */
export function encoder(
  tokenizer: PreTrainedTokenizer,
  max_length: number,
): (sentence: Labelled, isDoubtful?: (word: string) => boolean) => Example {
  const pieces = new Map<string, readonly number[]>();
  const piecesOf = (word: string): readonly number[] => {
    let ids = pieces.get(word);
    if (!ids) {
      const { input_ids } = tokenizer(word, { add_special_tokens: false });
      pieces.set(word, (ids = input_ids.length > 0 ? input_ids : [tokenizer.unk_token_id!]));
    }
    return ids;
  };
  return ({ words, spans }, isDoubtful = () => false) => {
    const input_ids = [tokenizer.cls_token_id!];
    const token_type_ids = [0];
    const classes = [-100];
    for (const [i, label] of labelsOf(spans, words.length).entries()) {
      const { text } = words[i]!;
      const ids = piecesOf(text);
      if (input_ids.length + ids.length >= max_length) break;
      input_ids.push(...ids);
      token_type_ids.push(...ids.map(() => (isCapitalised(text) ? 1 : 0)));
      const isKnown = label !== 'O' || !isDoubtful(text);
      classes.push(...ids.map((_, piece) => (piece === 0 && isKnown ? labels.indexOf(label) : -100)));
    }
    return {
      input_ids: [...input_ids, tokenizer.sep_token_id!],
      token_type_ids: [...token_type_ids, 0],
      labels: [...classes, -100],
    };
  };
}

/** The names that logits `[sentences, tokens, classes]` tell of, by words; a word that was cut off has none. */
export function spansFrom({ data, shape }: PredictionOutput['predictions'], examples: readonly Example[]): Span[][] {
  const [, tokens, count] = shape as [number, number, number];
  return examples.map((example, row) => {
    const found = example.labels.flatMap((label, at) => {
      if (label === -100) return [];
      const from = (row * tokens + at) * count;
      const own = (data as Float32Array).subarray(from, from + count);
      return [labels[own.indexOf(Math.max(...own))]!];
    });
    return spansOf(found);
  });
}
