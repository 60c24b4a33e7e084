/**
 * Writes TensorBoard event files from Node, and reads them back.
 *
 * @packageDocumentation
 */
export { createFileWriter } from './file-writer.ts';
export type { FileWriter, FileWriterOptions } from './file-writer.ts';
export { readEvents, readPoints } from './reader.ts';
export type { ReadOptions } from './reader.ts';
export { openTail } from './tail.ts';
export type { Tail } from './tail.ts';
export type { Point } from './point.ts';
export { bucketize } from './histogram.ts';
export type { Bucket, HistogramOptions } from './histogram.ts';
export type { DataClass, Event, Metadata, NumericType, Tensor, Value, ValueOptions } from './event.ts';
export { LogError } from './log-error.ts';
export type { LogErrorCode, LogErrorPlace } from './log-error.ts';
