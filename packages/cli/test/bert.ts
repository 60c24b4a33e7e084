/** A small BERT with a tokenizer in a folder, as `save_pretrained` of Python would leave it. Seeded: the same every time. */
import { join } from 'node:path';
import { BertForSequenceClassification, BertTokenizer } from '@sinter/models';

const words = ['free', 'lunch', 'money', 'now', 'at', 'noon', 'meeting', 'with', 'the', 'team', '##s', '!', 'you'];

/** Writes it to `parent/bert`; gives the folder, the model and the tokenizer. */
export async function smallBert(parent: string) {
  const folder = join(parent, 'bert');
  const tokenizer = BertTokenizer.from_vocab(['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', ...words]);
  const model = BertForSequenceClassification.from_config(
    {
      vocab_size: tokenizer.get_vocab().size,
      hidden_size: 32,
      num_hidden_layers: 2,
      num_attention_heads: 4,
      intermediate_size: 64,
      max_position_embeddings: 64,
      initializer_range: 0.2,
      id2label: { 0: 'ham', 1: 'spam' },
    },
    { seed: 7 },
  );
  await model.save_pretrained(folder);
  await tokenizer.save_pretrained(folder);
  return { folder, model, tokenizer };
}
