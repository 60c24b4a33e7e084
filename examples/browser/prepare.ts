/** Builds what the page loads: `public/model/cpu.sinter`, `webgpu.sinter`, and the weights that both share. */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { prepare } from './prepare/artifacts.ts';

const { values: options } = parseArgs({
  options: {
    small: { type: 'boolean', default: false },
    output: { type: 'string', default: fileURLToPath(new URL('public/model', import.meta.url)) },
  },
});
await prepare({ folder: options.output, small: options.small, say: console.log });
