/** `node onnx-export.ts WORK FILE`: writes a work as a model file, so that its making is not in the reader's peak memory. */
import { writeFileSync } from 'node:fs';
import { materialize } from '../harness/work.ts';
import { findWork } from '../works/index.ts';
import { OnnxGraph } from './onnx.ts';

const [, , name = '', file = ''] = process.argv;
const work = findWork(name);
const graph = new OnnxGraph();
const lookup = materialize(work, ({ name, shape, dtype, isInput }, data) =>
  isInput ? graph.input(name, shape, dtype) : graph.constant(data, shape),
);
if (!work.programs.onnx) throw new Error(`"${work.name}" has no program in the language onnx`);
writeFileSync(file, graph.bytes(work.programs.onnx(graph, lookup)));
