/** `node onnx-export.ts WORK FILE`: writes a work as a model file. See onnx-file.ts. */
import { writeFileSync } from 'node:fs';
import { onnxModel } from '../drive/onnx.ts';
import { findWork } from '../works/index.ts';

const [, , name = '', file = ''] = process.argv;
writeFileSync(file, onnxModel(findWork(name)));
