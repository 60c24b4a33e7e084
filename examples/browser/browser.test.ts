/** The page as a reader uses it, in headless Chromium: with WebGPU on a software GPU, and without, on the CPU. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launchChromium } from '../../tools/chromium.ts';
import type { ServedPage } from '../../tools/page.ts';
import { openPage, servePage } from '../../tools/page.ts';
import { prepare } from './prepare/artifacts.ts';
import { ready, train, type, verdict } from './steps.ts';

const hosts = [
  { host: 'with WebGPU', webgpu: true, device: /^WebGPU · .*swiftshader/i, without: /^$/ },
  { host: 'without WebGPU', webgpu: false, device: /^CPU · WebAssembly, \d+ threads?$/, without: /no adapter/ },
];
const found = await launchChromium();
await found?.close();

let folder: string;
let served: ServedPage;
beforeAll(async () => {
  if (!found) return;
  folder = await mkdtemp(join(tmpdir(), 'sinter-browser-'));
  await prepare({ folder: join(folder, 'model'), small: true, say: () => undefined });
  served = await servePage(fileURLToPath(new URL('.', import.meta.url)), { publicDir: folder });
}, 120_000);
afterAll(async () => {
  await served?.close();
  if (folder) await rm(folder, { recursive: true, force: true });
});

describe.skipIf(!found).each(hosts)('$host', ({ webgpu, device, without }) => {
  test('it classifies what is typed, learns, and forgets', async () => {
    const browser = (await launchChromium({ webgpu }))!;
    try {
      const { page, errors } = await openPage(browser, served.url);
      await ready(page);
      expect(await page.locator('#device').textContent()).toMatch(device);
      expect(await page.locator('#without').textContent()).toMatch(without);
      const facts = await page.locator('#facts').textContent();
      expect(facts).toMatch(/forward\d+ kernels.*train_step\d+ kernels.*Loaded1\.\d MB/);

      // No compiler comes with the page: all of its code, the tokenizer and the chart are smaller than one would be.
      expect(await page.evaluate(scriptBytes)).toBeLessThan(180_000);

      // The mails of 2002 knew no meetings; the page's own list does.
      expect(await type(page, 'You have won a prize')).toBe('spam');
      expect(await type(page, 'The meeting is moved to Thursday.')).toBe('spam');
      expect(await page.locator('#run').textContent()).toMatch(/^\d+ tokens in [\d.]+ ms on (WebGPU|the CPU)$/);
      await page.locator('#is-mail').click();
      expect(await page.locator('#counts').textContent()).toBe('17 mail, 16 spam');

      const losses = await train(page);
      expect(losses).toHaveLength(180);
      expect(mean(losses.slice(-20))).toBeLessThan(mean(losses.slice(0, 20)) * 0.6);
      expect(await page.locator('#chart').getAttribute('aria-label')).toMatch(/^Loss [\d.]+ after 180 steps$/);
      expect(await verdict(page)).toBe('mail');
      expect(await type(page, 'The train is late, dinner at seven?')).toBe('mail');

      await page.locator('#forget').click();
      expect(await type(page, 'The meeting is moved to Thursday.')).toBe('spam');
      await page.setViewportSize({ width: 360, height: 740 });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
      expect(errors).toEqual([]);
    } finally {
      await browser.close();
    }
  }, 300_000);
});

/** In the page: the bytes of all scripts that were loaded. */
const scriptBytes = `performance.getEntriesByType('resource')
  .filter(({ name }) => name.endsWith('.js'))
  .reduce((sum, { decodedBodySize }) => sum + decodedBodySize, 0)`;

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}
