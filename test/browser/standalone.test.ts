/** Standalone modules in a page without any bundler: a plain file server, one `import`, and a real Chromium. */
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { smallBert } from '../../packages/cli/test/bert.ts';
import { sinter } from '../../packages/cli/test/command.ts';
import { launchChromium } from '../../tools/chromium.ts';
import { openPage } from '../../tools/page.ts';

const browser = await launchChromium();
const types: Record<string, string> = { '.html': 'text/html', '.mjs': 'text/javascript' };
let root: string;
const server = createServer((request, response) => {
  const path = join(root, new URL(request.url!, 'http://localhost').pathname);
  readFile(path).then(
    (bytes) =>
      response
        .writeHead(200, {
          'Content-Type': types[extname(path)] ?? 'application/octet-stream',
          'Cross-Origin-Opener-Policy': 'same-origin',
          'Cross-Origin-Embedder-Policy': 'require-corp',
        })
        .end(bytes),
    () => response.writeHead(404).end(),
  );
});

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'standalone-page-'));
  await copyFile(new URL('standalone/index.html', import.meta.url), join(root, 'index.html'));
  const { folder } = await smallBert(root);
  for (const target of ['cpu', 'webgpu']) {
    const what = ['--entry', 'forward,train_step', '--dims', 'batch=1..8,seq=8', '--target', target, '--standalone'];
    const { code, err } = await sinter('compile', folder, ...what, '-o', join(root, target));
    expect({ code, err }).toEqual({ code: 0, err: '' });
  }
  await new Promise<void>((listening) => server.listen(0, 'localhost', listening));
}, 120_000);
afterAll(async () => {
  await browser?.close();
  server.close();
  await rm(root, { recursive: true, force: true });
});

interface Learned {
  readonly before: readonly number[];
  readonly losses: readonly number[];
  readonly steps: number;
}
/** In the page. */
function learn(module: string): Promise<Learned> {
  return (globalThis as unknown as { learn(module: string): Promise<Learned> }).learn(module);
}

describe.skipIf(!browser)('a standalone module in Chromium', () => {
  test('on the CPU and on WebGPU: the same answers, and the same training', async () => {
    const { port } = server.address() as AddressInfo;
    const { page, errors } = await openPage(browser!, `http://localhost:${port}/index.html`);
    const onCpu = await page.evaluate(learn, '/cpu/bert.mjs');
    const onGpu = await page.evaluate(learn, '/webgpu/bert.mjs');
    expect(onCpu.steps).toBe(10);
    expect(onCpu.losses.at(-1)).toBeLessThan(onCpu.losses[0]!);
    onGpu.before.forEach((x, i) => expect(x).toBeCloseTo(onCpu.before[i]!, 4));
    onGpu.losses.forEach((x, i) => expect(x).toBeCloseTo(onCpu.losses[i]!, 3));
    expect(errors).toEqual([]);
  }, 120_000);
});
