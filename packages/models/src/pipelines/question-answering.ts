/** Question answering: the part of a text that answers a question, by the rules of Python's pipeline. Long texts are read in windows. */
import { checkCount } from './runner.ts';
import { softmax, topIndices } from './scores.ts';
import { placedRows } from './task.ts';
import type { PlacedRow, ReadingTask, TaskContext } from './task.ts';

/** A question, and the text that has the answer. */
export interface QuestionInput {
  readonly question: string;
  readonly context: string;
}

/** The options of a call. */
export interface QuestionAnsweringOptions {
  /** How many answers, the most likely first; fewer if there are not as many. Given, the result is a list. Default: the most likely one. */
  readonly top_k?: number | undefined;
  /** How many tokens a window has in common with the one before it. Default: half a window, 128 at most. */
  readonly doc_stride?: number | undefined;
  /** The most tokens of a window, the question counted. Default: what the model reads, 384 at most. */
  readonly max_seq_len?: number | undefined;
  /** The most tokens of an answer. Default: 15. */
  readonly max_answer_len?: number | undefined;
  /** Whether the text may have no answer, which is then the empty one. Default: no. */
  readonly handle_impossible_answer?: boolean | undefined;
  /** Whether answers are of whole words. Default: yes. */
  readonly align_to_words?: boolean | undefined;
}

/** An answer. */
export interface Answer {
  /** A probability. */
  readonly score: number;
  /** `context.slice(start, end)` is the answer. */
  readonly start: number;
  readonly end: number;
  readonly answer: string;
}

/** The best spans of a window, in tokens, and how likely it has none. */
interface Spans {
  readonly spans: readonly { readonly score: number; readonly from: number; readonly to: number }[];
  readonly none: number;
}

/** The task, for a model that marks answers. */
export function questionAnswering({
  tokenizer,
  max_length,
}: TaskContext): ReadingTask<QuestionInput, QuestionAnsweringOptions, Spans, Answer | Answer[], PlacedRow> {
  const questionFirst = tokenizer.padding_side === 'right';
  /** Which of the two texts the context is. */
  const context = questionFirst ? 1 : 0;

  return {
    outputs: ['start_logits', 'end_logits'],
    rows({ question, context }, { max_seq_len = Math.min(max_length, 384), doc_stride }) {
      const texts = questionFirst ? ([question, context] as const) : ([context, question] as const);
      return placedRows(tokenizer, texts[0], {
        text_pair: texts[1],
        truncation: questionFirst ? 'only_second' : 'only_first',
        max_length: max_seq_len,
        stride: doc_stride ?? Math.min(Math.floor(max_seq_len / 2), 128),
      });
    },
    read({ start_logits, end_logits }, { input_ids, sequence_ids }, { top_k = 1, max_answer_len = 15 }) {
      checkCount('max_answer_len', max_answer_len);
      // What stands for "no answer" takes part in the probabilities, though no answer begins there.
      const counts = (at: number): boolean => sequence_ids[at] === context || input_ids[at] === tokenizer.cls_token_id;
      const [starts, ends] = [start_logits!, end_logits!].map((logits) =>
        softmax(logits.map((x, at) => (counts(at) ? x : -10000))),
      ) as [Float64Array, Float64Array];
      const none = starts[0]! * ends[0]!;
      starts[0] = ends[0] = 0;
      const all = [...starts.keys()].flatMap((from) =>
        [...ends.subarray(from, from + max_answer_len)].map((end, i) => ({
          score: starts[from]! * end,
          from,
          to: from + i,
        })),
      );
      const best = topIndices(
        all.map(({ score }) => score),
        checkCount('top_k', top_k),
      );
      const fits = (at: number): boolean => at === 0 || counts(at);
      return { spans: best.map((i) => all[i]!).filter(({ from, to }) => fits(from) && fits(to)), none };
    },
    result({ context: text }, readings, rows, { top_k, handle_impossible_answer = false, align_to_words = true }) {
      const answers = readings.flatMap(({ spans }, i) =>
        spans.map(({ score, from, to }): Answer => {
          const [start, end] = placeOf(rows[i]!, from, to, align_to_words);
          return { score, start, end, answer: text.slice(start, end) };
        }),
      );
      const empty = {
        score: handle_impossible_answer ? Math.min(...readings.map(({ none }) => none)) : 0,
        start: 0,
        end: 0,
        answer: '',
      };
      if (handle_impossible_answer) answers.push(empty);
      answers.sort((a, b) => b.score - a.score);
      return top_k === undefined ? (answers[0] ?? empty) : answers.slice(0, top_k);
    },
  };

  /** Where in the context a span of tokens begins and ends; with `whole`, the words that it begins and ends in. */
  function placeOf(
    { word_ids, sequence_ids, offset_mapping }: PlacedRow,
    from: number,
    to: number,
    whole: boolean,
  ): [number, number] {
    const isOf = (word: number | null | undefined) => (id: number | null, at: number) =>
      id === word && sequence_ids[at] === context;
    const [first, last] = [word_ids[from], word_ids[to]];
    const words = whole && first !== null && last !== null;
    const begin = words ? word_ids.findIndex(isOf(first)) : from;
    const end = words ? word_ids.findLastIndex(isOf(last)) : to;
    return [offset_mapping[begin]![0], offset_mapping[end]![1]];
  }
}
