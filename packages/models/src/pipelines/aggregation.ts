/**
 * From classes of tokens to entities: tokens are joined to words, and neighbouring ones of one entity to groups, by the rules of Python's
 * `TokenClassificationPipeline`.
 */
import { PipelineError } from './errors.ts';
import { bestIndex } from './scores.ts';

/**
 * How tokens become entities. `'none'`: each is one. `'simple'`: neighbours of one entity are one. The others let tokens of one word agree before:
 * on the class of the word's first token, on that of the highest mean score, or on that of the token that is surest.
 */
export type AggregationStrategy = 'none' | 'simple' | 'first' | 'average' | 'max';

/** A token with the score of each class. */
export interface ScoredToken {
  readonly word: string;
  readonly scores: Float64Array;
  /** Its number in the row. */
  readonly index: number;
  readonly start: number;
  readonly end: number;
  /** Whether it goes on with the word of the token before it. */
  readonly isSubword: boolean;
}

/** A token, or a word, that names something. */
export interface TokenEntity {
  /** The class, as `id2label` of the model's configuration has it. */
  readonly entity: string;
  /** A probability. */
  readonly score: number;
  /** The number of the token among those that the model reads. */
  readonly index: number;
  /** The token. */
  readonly word: string;
  /** `text.slice(start, end)` is what it was made of. */
  readonly start: number;
  readonly end: number;
}

/** Neighbours of one entity. */
export interface EntityGroup {
  readonly entity_group: string;
  readonly score: number;
  readonly word: string;
  readonly start: number;
  readonly end: number;
}

/** How tokens become text again. */
type Join = (tokens: readonly string[]) => string;
type Names = Readonly<Record<number, string>>;

/** Each token with its most likely class. */
export function labelled(tokens: readonly ScoredToken[], names: Names): TokenEntity[] {
  return tokens.map(({ scores, word, index, start, end }) => {
    const best = bestIndex(scores);
    return { entity: names[best]!, score: scores[best]!, index, word, start, end };
  });
}

/** The words that tokens are of, each with the class that they agree on. @throws PipelineError for an unknown strategy */
export function words(
  tokens: readonly ScoredToken[],
  strategy: Exclude<AggregationStrategy, 'none' | 'simple'>,
  names: Names,
  join: Join,
): TokenEntity[] {
  const agree = agreements[strategy] as ((own: readonly ScoredToken[]) => Float64Array) | undefined;
  if (!agree)
    throw new PipelineError(
      `aggregation_strategy is '${strategy}'; it may be none, simple, ${Object.keys(agreements).join(', ')}`,
    );
  return runs(tokens, (_, token) => token.isSubword).map((own) => ({
    ...labelled([{ ...own[0]!, scores: agree(own) }], names)[0]!,
    word: join(own.map(({ word }) => word)),
    end: own.at(-1)!.end,
  }));
}

/** The scores of a word, of those of its tokens. */
const agreements = {
  first: ([first]: readonly ScoredToken[]) => first!.scores,
  average: (own: readonly ScoredToken[]) => own[0]!.scores.map((_, i) => mean(own.map(({ scores }) => scores[i]!))),
  max: (own: readonly ScoredToken[]) => own[bestIndex(own.map(({ scores }) => Math.max(...scores)))]!.scores,
};

/** Neighbours of one entity as one; a `B-` begins another. */
export function groups(entities: readonly TokenEntity[], join: Join): EntityGroup[] {
  const goesOn = (before: TokenEntity, { entity }: TokenEntity): boolean =>
    !entity.startsWith('B-') && tagOf(entity) === tagOf(before.entity);
  return runs(entities, goesOn).map((own) => ({
    // Python takes whatever stands before a hyphen for `B` or `I` here.
    entity_group: own[0]!.entity.replace(/^[^-]*-/, ''),
    score: mean(own.map(({ score }) => score)),
    word: join(own.map(({ word }) => word)),
    start: own[0]!.start,
    end: own.at(-1)!.end,
  }));
}

/** Of groups that overlap, as windows of a long text have them, the longest, or of equal ones the surest. */
export function withoutOverlaps(found: readonly EntityGroup[]): EntityGroup[] {
  const kept: EntityGroup[] = [];
  for (const group of [...found].sort((a, b) => a.start - b.start)) {
    const last = kept.at(-1);
    if (!last || group.start >= last.end) kept.push(group);
    else if (lengthOf(group) > lengthOf(last) || (lengthOf(group) === lengthOf(last) && group.score > last.score))
      kept[kept.length - 1] = group;
  }
  return kept;
}

/** Neighbours that belong together. */
function runs<T>(items: readonly T[], goesOn: (before: T, item: T) => boolean): T[][] {
  const found: T[][] = [];
  for (const item of items) {
    const run = found.at(-1);
    if (run && goesOn(run.at(-1)!, item)) run.push(item);
    else found.push([item]);
  }
  return found;
}

function tagOf(entity: string): string {
  return entity.replace(/^[BI]-/, '');
}

function lengthOf({ start, end }: EntityGroup): number {
  return end - start;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, x) => sum + x, 0) / values.length;
}
