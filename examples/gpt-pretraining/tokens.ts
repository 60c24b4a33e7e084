/** Texts as one stream of tokens to learn from, and the bits that a model needs to write a text down. */
import type { CompiledModel, PreTrainedTokenizer } from '@sinter/models';

/** A label that does not count. */
const ignored = -100;

/** The tokens of a document between two end-of-text tokens: the first is read before it, the last says that it ends. */
export function documentTokens(tokenizer: PreTrainedTokenizer, text: string): number[] {
  const end = tokenizer.eos_token_id!;
  return [end, ...tokenizer(text, { add_special_tokens: false }).input_ids, end];
}

/** Examples for training: pieces of `length` tokens, of all documents one after the other. Neighbours share a token, so that each is predicted once. */
export function trainingExamples(
  documents: readonly (readonly number[])[],
  length: number,
): { readonly input_ids: readonly number[]; readonly labels: readonly number[] }[] {
  const stream = documents.flatMap((tokens) => tokens.slice(1));
  const count = Math.floor((stream.length - 1) / (length - 1));
  return Array.from({ length: count }, (_, i) => {
    const input_ids = stream.slice(i * (length - 1), i * (length - 1) + length);
    return { input_ids, labels: input_ids };
  });
}

/** A window over a document: it is read from `start` on, and its tokens from `from` on, which no window before it has, are predicted. */
export interface Window {
  readonly start: number;
  readonly from: number;
}

/** Windows of `length` that move on by `stride`, which is less: every token but the first is predicted exactly once, most with at least `length − stride` before them. */
export function windows(tokens: number, length: number, stride: number): Window[] {
  const out: Window[] = [];
  for (let from = 1; from < tokens;) {
    const end = Math.min(tokens, from === 1 ? length : from + stride);
    out.push({ start: Math.max(0, end - length), from });
    from = end;
  }
  return out;
}

/** How {@link bitsOf} reads. */
export interface BitsOptions {
  /** Tokens that the model reads at a time. */
  readonly length: number;
  /** Tokens by which it moves on. */
  readonly stride: number;
  /** Windows in a run. Default 16. */
  readonly batch?: number;
}

/** The bits of a document: −log₂ of the probability that the model, compiled for its `loss`, gives all its tokens but the first, each seen with those before it. */
export async function bitsOf(model: CompiledModel, tokens: readonly number[], options: BitsOptions): Promise<number> {
  const { stride, batch = 16 } = options;
  const length = Math.min(options.length, tokens.length);
  const all = windows(tokens.length, length, stride);
  let nats = 0;
  for (let at = 0; at < all.length; at += batch) {
    const rows = all.slice(at, at + batch);
    const shape = [rows.length, length];
    const input_ids = Int32Array.from(rows.flatMap(({ start }) => tokens.slice(start, start + length)));
    const labels = Int32Array.from(
      rows.flatMap(({ start, from }) =>
        Array.from({ length }, (_, i) => (start + i < from ? ignored : tokens[start + i]!)),
      ),
    );
    const { loss } = await model({ input_ids: { data: input_ids, shape }, labels: { data: labels, shape } });
    nats += loss!.data[0]! * labels.reduce((count, label) => count + (label === ignored ? 0 : 1), 0);
  }
  return nats / Math.LN2;
}
