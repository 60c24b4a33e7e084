/** All rows by name: for the parser, for conformance, and for looking up what there is. */
import type { Op } from '../op.ts';
import { barrierOp, checkpointOp } from './barrier.ts';
import { contractOp } from './contract.ts';
import { gatherOp, scatterOp, updateOp } from './index-ops.ts';
import * as map from './map.ts';
import { uniformOp } from './random.ts';
import { reduceMax, reduceMin, reduceSum } from './reduce.ts';
import { constantOp, dimOp, fullOp, inputOp, iotaOp, stateOp } from './source.ts';
import { broadcastOp, concatOp, flipOp, reshapeOp, sliceOp, transposeOp, unsliceOp } from './view.ts';
import { unwindowOp, windowOp } from './window.ts';

const rows: readonly Op[] = [
  inputOp,
  stateOp,
  constantOp,
  fullOp,
  iotaOp,
  dimOp,
  map.add,
  map.sub,
  map.mul,
  map.div,
  map.mod,
  map.pow,
  map.min,
  map.max,
  map.eq,
  map.lt,
  map.le,
  map.and,
  map.or,
  map.xor,
  map.shl,
  map.shr,
  map.neg,
  map.abs,
  map.exp,
  map.log,
  map.sqrt,
  map.sin,
  map.cos,
  map.tanh,
  map.erf,
  map.floor,
  map.round,
  map.where,
  map.cast,
  map.stopGradient,
  reduceSum,
  reduceMax,
  reduceMin,
  reshapeOp,
  transposeOp,
  broadcastOp,
  sliceOp,
  unsliceOp,
  concatOp,
  flipOp,
  windowOp,
  unwindowOp,
  barrierOp,
  checkpointOp,
  contractOp,
  gatherOp,
  scatterOp,
  updateOp,
  uniformOp,
];

/** Every op of the package by its name. An op of your own needs no entry here, except to be parsed from text. */
export const ops: ReadonlyMap<string, Op> = new Map(rows.map((row) => [row.name, row]));
