/** The models of `tokenizer.json`: each cuts a word into pieces. */
import { bytePairs } from './model-bpe.ts';
import { unigram } from './model-unigram.ts';
import { stepError, TokenizerError } from './errors.ts';
import { modelVocabulary } from './pieces.ts';
import type { ModelJson, PieceModel, Pieces } from './pieces.ts';

/**
 * The model that `json` describes. Text repeats its words, so what becomes of the shorter ones is remembered.
 *
 * @throws {TokenizerError} when its type is not known, or its vocabulary does not have what it refers to.
 */
export function createModel(json: ModelJson): PieceModel {
  const make = models[json.type];
  if (!make) throw stepError('model', json, models);
  return remember(make(json));
}

const models: Readonly<Record<string, (json: ModelJson) => PieceModel>> = {
  BPE: bytePairs,
  Unigram: unigram,
  WordLevel: (json) => {
    const ids = new Map(modelVocabulary(json));
    const unknown = ids.get(String(json.unk_token));
    return (word) => {
      const id = ids.get(word) ?? unknown;
      if (id === undefined)
        throw new TokenizerError(`'${word}' is not in the vocabulary, and the tokenizer has no unk_token.`);
      return { ids: [id], starts: [0], ends: [word.length] };
    };
  },
  WordPiece: wordPiece,
};

function remember(model: PieceModel): PieceModel {
  const known = new Map<string, Pieces>();
  return (word) => {
    if (word.length > 256) return model(word);
    let pieces = known.get(word);
    if (pieces === undefined) {
      if (known.size >= 100_000) known.clear();
      known.set(word, (pieces = model(word)));
    }
    return pieces;
  };
}

/** The longest piece that the word begins with, then the longest continued one, and so on; all of it is unknown if one is missing. */
function wordPiece(json: ModelJson): PieceModel {
  const ids = new Map(modelVocabulary(json));
  const { continuing_subword_prefix: prefix = '##', max_input_chars_per_word: most = 100, unk_token = '[UNK]' } = json;
  const unknown = ids.get(String(unk_token));
  return (word) => {
    const pieces: { ids: number[]; starts: number[]; ends: number[] } = { ids: [], starts: [], ends: [] };
    let start = 0;
    while (start < word.length && Array.from(word).length <= Number(most)) {
      let end = word.length;
      let id: number | undefined;
      for (; end > start; end--) {
        const piece = word.slice(start, end);
        if ((id = ids.get(start === 0 ? piece : String(prefix) + piece)) !== undefined) break;
      }
      if (id === undefined) break;
      pieces.ids.push(id);
      pieces.starts.push(start);
      pieces.ends.push(end);
      start = end;
    }
    if (start === word.length) return pieces;
    if (unknown === undefined) {
      throw new TokenizerError(`'${word}' cannot be made of pieces, and the vocabulary has no '${String(unk_token)}'.`);
    }
    return { ids: [unknown], starts: [0], ends: [word.length] };
  };
}
