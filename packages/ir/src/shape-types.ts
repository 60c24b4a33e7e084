/** Shapes at the type level: what the type checker knows of broadcasting, matmul, reshape, transpose and concat. */
import type { Dim, Shape } from './shape.ts';

/** Whether nothing is known of a shape (a plain `Tensor`): such shapes pass everywhere. */
export type IsWide<S extends Shape> = number extends S['length'] ? true : false;
/** A shape as text, for messages. */
export type Show<S extends Shape> = S extends readonly [infer H extends Dim, ...infer R extends Shape] ? (R extends readonly [] ? `${H}` : `${H}, ${Show<R>}`) : '';
/** The innermost size. */
export type Last<S extends Shape> = S extends readonly [...Shape, infer L extends Dim] ? L : Dim;
/** All but the innermost size. */
export type Init<S extends Shape> = S extends readonly [...infer I extends Shape, Dim] ? I : Shape;

type Join<A extends Dim, B extends Dim> = A extends 1 ? B : B extends 1 ? A : A extends B ? A : B extends A ? B : never;

/** The shape that two shapes broadcast to; `never` stands where two sizes do not fit. */
export type Broadcast<A extends Shape, B extends Shape> =
  true extends IsWide<A> | IsWide<B> ? Shape
  : A extends readonly [] ? B
  : B extends readonly [] ? A
  : A extends readonly [...infer AI extends Shape, infer AL extends Dim]
    ? B extends readonly [...infer BI extends Shape, infer BL extends Dim] ? readonly [...Broadcast<AI, BI>, Join<AL, BL>] : Shape
    : Shape;

type HasNever<S extends Shape> = S extends readonly [infer H, ...infer R extends Shape] ? ([H] extends [never] ? true : HasNever<R>) : false;
/** `unknown` where shapes broadcast, else a text that the type checker shows. */
export type Fits<A extends Shape, B extends Shape> =
  HasNever<Broadcast<A, B>> extends true ? `shapes do not broadcast: [${Show<A>}] with [${Show<B>}]` : unknown;

type Inner<B extends Shape> = B extends readonly [Dim] ? B[0] : Last<Init<B>>;
type Outer<S extends Shape> = S extends readonly [Dim] ? readonly [] : Init<S>;
type Batch<S extends Shape> = Init<Init<S>> extends infer R extends Shape ? R : never;
/** The shape of a matrix product (numpy's rule: batch axes broadcast, vectors have no free axis). */
export type MatMulShape<A extends Shape, B extends Shape> =
  true extends IsWide<A> | IsWide<B> ? Shape
  : B extends readonly [Dim] ? Outer<A>
  : A extends readonly [Dim] ? readonly [...Batch<B>, Last<B>]
  : B extends readonly [Dim, Dim] ? readonly [...Init<A>, Last<B>]
  : readonly [...Broadcast<Batch<A>, Batch<B>>, Last<Init<A>>, Last<B>];
/** `unknown` where the inner sizes agree, else a text that the type checker shows. */
export type InnerFits<A extends Shape, B extends Shape> =
  true extends IsWide<A> | IsWide<B> ? unknown
  : Last<A> extends Inner<B> ? unknown : Inner<B> extends Last<A> ? unknown
  : `matmul: inner sizes differ: ${Last<A>} ≠ ${Inner<B>}`;

/** Axes in another order. */
export type Permute<S extends Shape, P extends readonly number[]> =
  true extends IsWide<S> ? Shape : number extends P['length'] ? Shape
  : { readonly [I in keyof P]: P[I] extends keyof S ? S[P[I]] : P[I] extends number ? `${P[I]}` extends keyof S ? S[`${P[I]}`] : never : never } extends infer R extends Shape ? R : Shape;
/** `unknown` where a permutation names each axis once (as far as lengths tell), else a text. */
export type PermFits<S extends Shape, P extends readonly number[]> =
  true extends IsWide<S> ? unknown : number extends P['length'] ? unknown
  : P['length'] extends S['length'] ? (HasNever<Permute<S, P>> extends true ? `transpose: [${Show<P>}] names an axis that [${Show<S>}] does not have` : unknown)
  : `transpose: [${Show<P>}] does not order the axes of [${Show<S>}]`;

type Literal<S extends Shape> = IsWide<S> extends true ? false : S extends readonly number[] ? (number extends S[number] ? false : true) : false;
type Tuple<N extends number, T extends unknown[] = []> = T['length'] extends N ? T : Tuple<N, [...T, unknown]>;
type Times<A extends number, B extends number, T extends unknown[] = [], C extends unknown[] = []> =
  C['length'] extends B ? T['length'] : T['length'] extends infer L extends number ? (L extends 9999 ? number : Times<A, B, [...T, ...Tuple<A>], [...C, unknown]>) : never;
/** The number of elements where all sizes are small literal numbers (up to a few hundred), else `number`. */
export type Count<S extends Shape> =
  Literal<S> extends false ? number
  : S extends readonly [] ? 1
  : S extends readonly [infer H extends number, ...infer R extends readonly number[]]
    ? (Count<R> extends infer C extends number ? (Small<H> extends true ? (Small<C> extends true ? Times<H, C> & number : number) : number) : number)
    : number;
type Small<N extends number> = number extends N ? false : `${N}` extends `${number}${number}${number}${string}` ? false : true;
/** `unknown` where a reshape keeps the number of elements (as far as literal numbers tell), else a text. */
export type ReshapeFits<A extends Shape, B extends Shape> =
  number extends Count<A> | Count<B> ? unknown : Count<A> extends Count<B> ? unknown : `reshape: [${Show<A>}] has ${Count<A>} elements, [${Show<B>}] has ${Count<B>}`;

/** The shape without one axis counted from the front (`axis` literal), else any. */
export type WithoutAxis<S extends Shape, A extends number> = number extends A ? Shape : true extends IsWide<S> ? Shape
  : `${A}` extends `-${string}` ? (A extends -1 ? Outer<S> : Shape) : Drop<S, A>;
type Drop<S extends Shape, A extends number, Seen extends Dim[] = []> =
  S extends readonly [infer H extends Dim, ...infer R extends Shape] ? (Seen['length'] extends A ? readonly [...Seen, ...R] : Drop<R, A, [...Seen, H]>) : Shape;
