/** Any engine in headless Chromium: `node page.ts WORK THREADS ENGINE`. */
import { fileURLToPath } from 'node:url';
import { launchChromium } from '../../tools/chromium.ts';
import { openPage, servePage } from '../../tools/page.ts';
import { serve } from '../harness/serve.ts';
import { versionOf } from './version.ts';

const engines = {
  sinter: { language: 'sinter', folder: '../../packages/backend-webgpu' },
  'jax-js': { language: 'jax', folder: '../node_modules/@jax-js/jax' },
  'onnxruntime-web': { language: 'onnx', folder: '../node_modules/onnxruntime-web' },
} as const;
const engine = process.argv[4] as keyof typeof engines;
const { language, folder } = engines[engine];

await serve(language, async (work) => {
  const browser = await launchChromium();
  if (!browser) throw new Error('no Chromium starts here');
  process.on('exit', () => void browser.close());
  const { url } = await servePage(fileURLToPath(new URL('../page', import.meta.url)));
  const { page, errors } = await openPage(browser, url);
  page.setDefaultTimeout(0); // compiling a model on a software adapter takes its time
  await page.waitForFunction('globalThis.bench').catch((error: unknown) => {
    throw errors.length ? new Error(errors[0]) : error;
  });
  const adapter = await page.evaluate(([name, of]) => bench.prepare(name, of), [engine, work.name] as const);
  return {
    version: `${engine} ${versionOf(folder)} (Chromium ${browser.version()})`,
    run: () => page.evaluate(() => bench.clock()),
    clock: () => page.evaluate(() => bench.clock()),
    output: () => page.evaluate(() => bench.output()),
    gpu: { adapter, counts: () => page.evaluate(() => bench.counts()) },
  };
});
