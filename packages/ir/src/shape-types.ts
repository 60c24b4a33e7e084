/** Shapes at the type level: what the type checker knows of broadcasting, matmul, reshape, transpose, concat and axes. */
import type { DType } from './dtype.ts';
import type { Dim, Shape } from './shape.ts';

/** Whether nothing is known of a shape (a plain `Tensor`): such shapes pass everywhere. */
export type IsWide<S extends Shape> = number extends S['length'] ? true : false;
/** A shape as text, for messages. */
export type Show<S extends Shape> = S extends readonly [infer H extends Dim, ...infer R extends Shape]
  ? R extends readonly []
    ? `${H}`
    : `${H}, ${Show<R>}`
  : '';

type Last<S extends Shape> = S extends readonly [...Shape, infer L extends Dim] ? L : Dim;
type Init<S extends Shape> = S extends readonly [...infer I extends Shape, Dim] ? readonly [...I] : Shape;
type HasNever<S extends Shape> = S extends readonly [infer H, ...infer R extends Shape]
  ? [H] extends [never]
    ? true
    : HasNever<R>
  : false;

/** `unknown` where two dtypes are the same or not known, else a text that the type checker shows. */
export type SameDType<D extends DType, E extends DType> = [D] extends [E]
  ? unknown
  : [E] extends [D]
    ? unknown
    : `dtypes differ: ${D} and ${E}; cast one of them`;

// ---- broadcasting

type Join<A extends Dim, B extends Dim> = A extends 1 ? B : B extends 1 ? A : A extends B ? A : B extends A ? B : never;

/** The shape that two shapes broadcast to; `never` stands where two sizes do not fit. */
export type Broadcast<A extends Shape, B extends Shape> = true extends IsWide<A> | IsWide<B>
  ? Shape
  : A extends readonly []
    ? B
    : B extends readonly []
      ? A
      : A extends readonly [...infer AI extends Shape, infer AL extends Dim]
        ? B extends readonly [...infer BI extends Shape, infer BL extends Dim]
          ? readonly [...Broadcast<AI, BI>, Join<AL, BL>]
          : Shape
        : Shape;

/** `unknown` where shapes broadcast, else a text that the type checker shows. */
export type Fits<A extends Shape, B extends Shape> =
  HasNever<Broadcast<A, B>> extends true ? `shapes do not broadcast: [${Show<A>}] with [${Show<B>}]` : unknown;

// ---- matrix products

type Inner<B extends Shape> = B extends readonly [Dim] ? B[0] : Last<Init<B>>;
type Batch<S extends Shape> = S extends readonly [Dim] ? readonly [] : Init<Init<S>>;

/** The shape of a matrix product (numpy's rule: batch axes broadcast, vectors have no free axis). */
export type MatMulShape<A extends Shape, B extends Shape> = true extends IsWide<A> | IsWide<B>
  ? Shape
  : B extends readonly [Dim]
    ? Init<A>
    : A extends readonly [Dim]
      ? readonly [...Batch<B>, Last<B>]
      : readonly [...Broadcast<Batch<A>, Batch<B>>, Last<Init<A>>, Last<B>];
/** `unknown` where inner sizes agree and batch axes broadcast, else a text that the type checker shows. */
export type InnerFits<A extends Shape, B extends Shape> = true extends IsWide<A> | IsWide<B>
  ? unknown
  : [A] extends [readonly []]
    ? 'matmul: the first operand is a scalar'
    : [B] extends [readonly []]
      ? 'matmul: the second operand is a scalar'
      : Last<A> extends Inner<B>
        ? BatchFits<A, B>
        : Inner<B> extends Last<A>
          ? BatchFits<A, B>
          : `matmul: inner sizes differ: ${Last<A>} ≠ ${Inner<B>}`;
type BatchFits<A extends Shape, B extends Shape> =
  HasNever<Broadcast<Batch<A>, Batch<B>>> extends true
    ? `matmul: batch axes do not broadcast: [${Show<Batch<A>>}] with [${Show<Batch<B>>}]`
    : unknown;

// ---- order of axes

/** Axes in another order. */
export type Permute<S extends Shape, P extends readonly number[]> =
  true extends IsWide<S>
    ? Shape
    : number extends P['length']
      ? Shape
      : {
            readonly [I in keyof P]: `${P[I] & number}` extends infer K extends keyof S ? S[K] : never;
          } extends infer R extends Shape
        ? R
        : Shape;
/** `unknown` where a permutation names each axis once, else a text. */
export type PermFits<S extends Shape, P extends readonly number[]> =
  true extends IsWide<S>
    ? unknown
    : number extends P['length']
      ? unknown
      : P['length'] extends S['length']
        ? HasNever<Permute<S, P>> extends true
          ? `transpose: [${Show<P>}] names an axis that [${Show<S>}] does not have`
          : Twice<P> extends true
            ? `transpose: [${Show<P>}] names an axis twice`
            : unknown
        : `transpose: [${Show<P>}] does not order the axes of [${Show<S>}]`;
type Twice<P extends Shape> = P extends readonly [infer H extends Dim, ...infer R extends Shape]
  ? number extends H
    ? false
    : H extends R[number]
      ? true
      : Twice<R>
  : false;

// ---- numbers of elements: tuples of that length, built digit by digit (the checker has no arithmetic)

type Units = {
  '0': [];
  '1': [0];
  '2': [0, 0];
  '3': [0, 0, 0];
  '4': [0, 0, 0, 0];
  '5': [0, 0, 0, 0, 0];
  '6': [0, 0, 0, 0, 0, 0];
  '7': [0, 0, 0, 0, 0, 0, 0];
  '8': [0, 0, 0, 0, 0, 0, 0, 0];
  '9': [0, 0, 0, 0, 0, 0, 0, 0, 0];
};
type Repeat<T extends 0[], D extends keyof Units> = {
  '0': [];
  '1': T;
  '2': [...T, ...T];
  '3': [...T, ...T, ...T];
  '4': [...T, ...T, ...T, ...T];
  '5': [...T, ...T, ...T, ...T, ...T];
  '6': [...T, ...T, ...T, ...T, ...T, ...T];
  '7': [...T, ...T, ...T, ...T, ...T, ...T, ...T];
  '8': [...T, ...T, ...T, ...T, ...T, ...T, ...T, ...T];
  '9': [...T, ...T, ...T, ...T, ...T, ...T, ...T, ...T, ...T];
}[D];
/** `Digits` (decimal) times the length of `T`. */
type Times<
  T extends 0[],
  Digits extends string,
  Sum extends 0[] = [],
> = Digits extends `${infer D extends keyof Units}${infer R}`
  ? Times<T, R, [...Sum, ...Sum, ...Sum, ...Sum, ...Sum, ...Sum, ...Sum, ...Sum, ...Sum, ...Sum, ...Repeat<T, D>]>
  : Sum;
/** The product of literal numbers; `number` where together they have more than four digits (tuples end at 9,999 elements). */
type Count<S extends Shape, Digits extends string = '', T extends 0[] = [0]> = S extends readonly [
  infer H extends number,
  ...infer R extends Shape,
]
  ? number extends H
    ? number
    : `${Digits}${H}` extends `${string}${string}${string}${string}${string}${infer _Rest}`
      ? number
      : Count<R, `${Digits}${H}`, Times<T, `${H}`>>
  : S extends readonly []
    ? T['length']
    : number;
/** The sum of two literal numbers of at most three digits; `string` where a name is in it, else `number`. */
type Plus<A extends Dim, B extends Dim> = A extends number
  ? B extends number
    ? true extends IsLong<A> | IsLong<B>
      ? number
      : [...Times<[0], `${A}`>, ...Times<[0], `${B}`>]['length'] & number
    : A extends 0
      ? B
      : string
  : B extends 0
    ? A
    : string;
type IsLong<N extends number> = number extends N
  ? true
  : `${N}` extends `${string}${string}${string}${string}${infer _Rest}`
    ? true
    : false;

type Drop<S extends Shape, H extends Dim> = S extends readonly [infer G extends Dim, ...infer R extends Shape]
  ? [G, H] extends [H, G]
    ? R
    : readonly [G, ...Drop<R, H>]
  : S;
/** What is left of two shapes when equal sizes are taken out of both. */
type Cancel<A extends Shape, B extends Shape, Left extends Shape = readonly []> = A extends readonly [
  infer H extends Dim,
  ...infer R extends Shape,
]
  ? Drop<B, H> extends infer D extends Shape
    ? D['length'] extends B['length']
      ? Cancel<R, B, readonly [...Left, H]>
      : Cancel<R, D, Left>
    : never
  : readonly [Left, B];
/** `unknown` where a reshape keeps the number of elements (as far as literal sizes tell), else a text. */
export type ReshapeFits<A extends Shape, B extends Shape> = true extends IsWide<A> | IsWide<B>
  ? unknown
  : Cancel<A, B> extends readonly [infer P extends Shape, infer Q extends Shape]
    ? number extends Count<P> | Count<Q>
      ? unknown
      : Count<P> extends Count<Q>
        ? unknown
        : `reshape: [${Show<A>}] has not the number of elements of [${Show<B>}]`
    : unknown;

// ---- single axes

/** Whether one of the axes `A` (a union, negative from the end) is the axis with `Before` axes before and `After` axes after it. */
type IsAxis<A extends number, Before extends Shape, After extends Shape> = [
  Extract<`${A}`, `${Before['length']}` | `-${[0, ...After]['length'] & number}`>,
] extends [never]
  ? false
  : true;
type WithoutAxes<
  S extends Shape,
  A extends number,
  Keep extends boolean,
  Seen extends Shape = readonly [],
  Out extends Shape = readonly [],
> = S extends readonly [infer H extends Dim, ...infer R extends Shape]
  ? WithoutAxes<
      R,
      A,
      Keep,
      readonly [...Seen, H],
      IsAxis<A, Seen, R> extends false ? readonly [...Out, H] : Keep extends true ? readonly [...Out, 1] : Out
    >
  : Out;

type Option<O, K extends string, Default> = K extends keyof O ? O[K] : Default;
/** Literal axes as a union; `number` where they are not known. */
type Axes<A> = [A] extends [number]
  ? A
  : A extends readonly []
    ? never
    : A extends readonly number[]
      ? A[number]
      : number;
/** The shape that a reduction with the options `O` leaves. */
export type Reduced<S extends Shape, O> =
  true extends IsWide<S>
    ? Shape
    : Option<O, 'keepdims', false> extends infer Keep extends boolean
      ? boolean extends Keep
        ? Shape
        : [Option<O, 'axes', undefined>] extends [undefined]
          ? Keep extends true
            ? { readonly [I in keyof S]: 1 }
            : readonly []
          : number extends Axes<Option<O, 'axes', undefined>>
            ? Shape
            : WithoutAxes<S, Axes<Option<O, 'axes', undefined>>, Keep>
      : Shape;

/** A shape with an axis of size 1 put in at `A`. */
export type Expanded<S extends Shape, A extends number> =
  true extends IsWide<S> ? Shape : number extends A ? Shape : PutAxis<S, A>;
type PutAxis<S extends Shape, A extends number, Seen extends Shape = readonly []> =
  IsAxis<A, Seen, S> extends true
    ? readonly [...Seen, 1, ...S]
    : S extends readonly [infer H extends Dim, ...infer R extends Shape]
      ? PutAxis<R, A, readonly [...Seen, H]>
      : Shape;

/** A shape without the axes `A`, or without all literal 1s. */
export type Squeezed<S extends Shape, A> =
  true extends IsWide<S>
    ? Shape
    : [A] extends [undefined]
      ? WithoutOnes<S>
      : [A] extends [number | readonly number[]]
        ? Reduced<S, { readonly axes: A }>
        : Shape;
type WithoutOnes<S extends Shape, Out extends Shape = readonly []> = S extends readonly [
  infer H extends Dim,
  ...infer R extends Shape,
]
  ? number extends H
    ? Shape
    : WithoutOnes<R, H extends 1 ? Out : readonly [...Out, H]>
  : Out;

// ---- concat

/** The shape of tensors with the shapes `T` one after the other along `A`; `never` in it where they differ elsewhere. */
export type Joined<T extends readonly Shape[], A extends number> = number extends T['length']
  ? Shape
  : number extends A
    ? Shape
    : T extends readonly [infer H extends Shape, ...infer R extends readonly Shape[]]
      ? JoinAll<H, R, A>
      : Shape;
type JoinAll<S extends Shape, T extends readonly Shape[], A extends number> = T extends readonly [
  infer H extends Shape,
  ...infer R extends readonly Shape[],
]
  ? true extends IsWide<S> | IsWide<H>
    ? Shape
    : S['length'] extends H['length']
      ? JoinAll<JoinTwo<S, H, A>, R, A>
      : readonly [never]
  : S;
type JoinTwo<
  S extends Shape,
  T extends Shape,
  A extends number,
  Seen extends Shape = readonly [],
  Out extends Shape = readonly [],
> = [S, T] extends [
  readonly [infer H extends Dim, ...infer R extends Shape],
  readonly [infer G extends Dim, ...infer Q extends Shape],
]
  ? JoinTwo<
      R,
      Q,
      A,
      readonly [...Seen, H],
      readonly [...Out, IsAxis<A, Seen, R> extends true ? Plus<H, G> : H extends G ? H : G extends H ? G : never]
    >
  : Out;
/** `unknown` where tensors of the shapes `T` can be joined along `A`, else a text. */
export type JoinFits<T extends readonly Shape[], A extends number> =
  HasNever<Joined<T, A>> extends true ? `concat: ${ShowAll<T>} differ outside of axis ${A}` : unknown;
type ShowAll<T extends readonly Shape[]> = T extends readonly [
  infer H extends Shape,
  ...infer R extends readonly Shape[],
]
  ? R extends readonly []
    ? `[${Show<H>}]`
    : `[${Show<H>}], ${ShowAll<R>}`
  : '';
