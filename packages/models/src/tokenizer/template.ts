/** The post-processors of `tokenizer.json`: which special tokens stand around one text and around two, as plain data. */
import { stepError, TokenizerError } from './errors.ts';
import type { StepJson } from './files.ts';

/** The tokens of the first or the second text, or special tokens; with the number that tells the two texts of a pair apart. */
export type TemplateItem =
  { readonly sequence: 0 | 1; readonly type: number } | { readonly ids: readonly number[]; readonly type: number };

/** What post-processing does. */
export interface Template {
  readonly single: readonly TemplateItem[];
  readonly pair: readonly TemplateItem[];
  /** Whether offsets leave out the spaces of a token; with `spaced`, the first space of a text is one that was put there. */
  readonly trim: { readonly spaced: boolean } | undefined;
}

const text = (sequence: 0 | 1, type: number): TemplateItem => ({ sequence, type });
const bare: Template = { single: [text(0, 0)], pair: [text(0, 0), text(1, 1)], trim: undefined };

/**
 * The template that `json` describes; none puts nothing around texts.
 *
 * @throws {TokenizerError} when its type is not known, or a special token has no id.
 */
export function createTemplate(json: StepJson | null | undefined): Template {
  if (!json) return bare;
  const make = processors[json.type];
  if (!make) throw stepError('post-processor', json, processors);
  return make(json);
}

type TokenAndId = readonly [token: string, id: number];

const processors: Readonly<Record<string, (json: StepJson) => Template>> = {
  BertProcessing: (json) => {
    const [cls, sep] = [json.cls, json.sep] as [TokenAndId, TokenAndId];
    const around = [{ ids: [cls[1]], type: 0 }, text(0, 0), { ids: [sep[1]], type: 0 }];
    return { ...bare, single: around, pair: [...around, text(1, 1), { ids: [sep[1]], type: 1 }] };
  },
  ByteLevel: ({ trim_offsets = true, add_prefix_space = true }) => ({
    ...bare,
    trim: trim_offsets ? { spaced: add_prefix_space === true } : undefined,
  }),
  RobertaProcessing: (json) => {
    const [cls, sep] = [json.cls, json.sep] as [TokenAndId, TokenAndId];
    const [start, end]: [TemplateItem, TemplateItem] = [
      { ids: [cls[1]], type: 0 },
      { ids: [sep[1]], type: 0 },
    ];
    const single = [start, text(0, 0), end];
    return {
      single,
      pair: [...single, end, text(1, 0), end],
      trim: json.trim_offsets === false ? undefined : { spaced: json.add_prefix_space !== false },
    };
  },
  /** One after the other: the tokens of the last that has any, the trimming of the last that trims. */
  Sequence: ({ processors }) =>
    (processors as StepJson[]).map(createTemplate).reduce(
      (before, after) => ({
        ...(after.single.length > 1 || before === bare ? after : before),
        trim: after.trim ?? before.trim,
      }),
      bare,
    ),
  TemplateProcessing: (json) => {
    const tokens = json.special_tokens as Readonly<Record<string, { readonly ids: readonly number[] }>>;
    const item = (part: TemplatePart): TemplateItem => {
      if ('Sequence' in part) return text(part.Sequence.id === 'A' ? 0 : 1, part.Sequence.type_id);
      const { id, type_id } = part.SpecialToken;
      const ids = tokens[id]?.ids;
      if (!ids)
        throw new TokenizerError(`The template in tokenizer.json has '${id}', which is not among its special_tokens.`);
      return { ids, type: type_id };
    };
    return {
      single: (json.single as TemplatePart[]).map(item),
      pair: (json.pair as TemplatePart[]).map(item),
      trim: undefined,
    };
  },
};

type TemplatePart =
  | { readonly Sequence: { readonly id: 'A' | 'B'; readonly type_id: number } }
  | { readonly SpecialToken: { readonly id: string; readonly type_id: number } };
