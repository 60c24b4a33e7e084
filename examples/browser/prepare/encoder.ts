/** The encoder and its tokenizer: all-MiniLM-L6-v2 where it can be had, else a small BERT of our own. */
import { BertModel, BertTokenizer, trainWordPiece } from '@sinter/models';
import { findMiniLM } from '@sinter/example-spam/model.ts';
import type { PreTrainedTokenizer } from '@sinter/models';

/** A model that reads texts. */
export interface Encoder {
  readonly name: string;
  readonly bert: BertModel;
  readonly tokenizer: PreTrainedTokenizer;
}

/** `texts` give the small BERT its vocabulary; `small` takes it though there might be a better one. */
export async function findEncoder(
  texts: readonly string[],
  small: boolean,
  say: (line: string) => void,
): Promise<Encoder> {
  const found = small ? undefined : await findMiniLM(say);
  if (found) {
    const { folder } = found;
    const bert = await BertModel.from_pretrained(folder, { on_notice: () => undefined });
    return { name: 'all-MiniLM-L6-v2', bert, tokenizer: await BertTokenizer.from_pretrained(folder) };
  }
  const tokenizer = trainWordPiece(texts, { vocab_size: 4000 });
  const bert = BertModel.from_config(
    {
      vocab_size: tokenizer.vocab_size,
      hidden_size: 128,
      num_hidden_layers: 2,
      num_attention_heads: 4,
      intermediate_size: 256,
      max_position_embeddings: 64,
    },
    { seed: 42 },
  );
  return { name: 'a small BERT that has read nothing', bert, tokenizer };
}
