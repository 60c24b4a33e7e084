/** The errors of the graph level: each says what was asked, what was found, and what to do. */

/** Shapes or dtypes that do not fit together. Thrown while a graph is built, at the op that cannot be built. */
export class ShapeError extends Error {
  override readonly name: string = 'ShapeError';
}

/** A graph that is not well formed: unknown names, two sources with one name, text that does not parse. */
export class GraphError extends Error {
  override readonly name: string = 'GraphError';
}
