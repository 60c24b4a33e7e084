/**
 * Typed tensors, the graph they form, its gradients, and the reference that defines what it means.
 *
 * @packageDocumentation
 */
export type { Data, DType } from './dtype.ts';
export { dataFor, dataFrom, dataView, decoder, dtypeBytes, dtypes, encoder, holds, isFloat } from './dtype.ts';
export { GraphError, ShapeError } from './errors.ts';
export type { ConstExpr, Expr, OpExpr, ScalarOp, Typed, VarExpr } from './expr.ts';
export { arity, constant as constantExpr, dtypeOf, e, substitute, variable } from './expr.ts';
export { scalarFunction } from './scalar.ts';
export type { Range, SimplifyOptions } from './simplify.ts';
export { simplifier } from './simplify.ts';
export type { Dim, Shape } from './shape.ts';
export {
  broadcastIndex,
  broadcastShapes,
  dimExpr,
  dimNames,
  dimProduct,
  dimSize,
  dimSum,
  elements,
  flatIndex,
  normalAxis,
  sameShape,
  shapeSize,
  showShape,
  strides,
  unflatten,
} from './shape.ts';
export type {
  Broadcast,
  Expanded,
  Fits,
  InnerFits,
  IsWide,
  Joined,
  JoinFits,
  MatMulShape,
  Permute,
  PermFits,
  Reduced,
  ReshapeFits,
  SameDType,
  Show,
  Squeezed,
} from './shape-types.ts';
export type {
  MapOp,
  Op,
  OpBase,
  OpKind,
  RandomOp,
  ReduceOp,
  Sizes,
  SourceOp,
  StructuredOp,
  TensorType,
  Value,
  ViewIndex,
  ViewOp,
} from './op.ts';
export { builder, Tensor } from './tensor.ts';
export { barrier } from './ops/barrier.ts';
export { constant, constantOp, dimValue, full, input, inputOp, iota, state, stateOp } from './ops/source.ts';
export type { ContractAttrs, Labels } from './ops/contract.ts';
export { contract, labelSizes, parseSpec } from './ops/contract.ts';
export { uniform } from './ops/random.ts';
export type { ReduceAttrs } from './ops/reduce.ts';
export { ops } from './ops/table.ts';
export * from './functions/math.ts';
export * from './functions/nn.ts';
export * from './functions/conv.ts';
export type { Expected, Graph, TensorData, Tensors } from './graph.ts';
export { bindSizes, graph, graphDims, graphLimits, graphRoots, sourceName, topological } from './graph.ts';
export type { Checkpointable } from './checkpoint.ts';
export { checkpoint } from './checkpoint.ts';
export { gradients, vjp } from './gradients.ts';
export type { Evaluated } from './evaluate.ts';
export { evaluate } from './evaluate.ts';
export { verifyGraph } from './verify.ts';
export { printGraph } from './print.ts';
export { parseGraph } from './parse.ts';
