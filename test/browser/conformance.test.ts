/**
 * The conformance suite in headless Chromium. It is declared twice, here and in the page, in the same order: a test here
 * runs the page's test of the same number, so that all are seen by their names.
 */
import { fileURLToPath } from 'node:url';
import { testBackend } from '@sinter/conformance';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launchChromium } from '../../tools/chromium.ts';
import type { ServedPage } from '../../tools/page.ts';
import { openPage, servePage } from '../../tools/page.ts';
import type { Remote } from './conformance/remote.ts';

const browser = await launchChromium();
let served: ServedPage;

beforeAll(async () => {
  if (browser) served = await servePage(fileURLToPath(new URL('conformance', import.meta.url)));
});
afterAll(async () => {
  await browser?.close();
  await served?.close();
});

const backends = [
  { backend: 'cpu', runs: 100 },
  { backend: 'webgpu', runs: 20 },
];

describe.skipIf(!browser).each(backends)('Chromium, $backend', ({ backend, runs }) => {
  let page: Page;
  let errors: readonly string[];
  beforeAll(async () => {
    ({ page, errors } = await openPage(browser!, `${served.url}?backend=${backend}&runs=${runs}`));
  });
  afterAll(() => page.close());

  let declared = 0;
  testBackend(backend, unused, {
    runs,
    describe,
    test(title, _, timeout) {
      const index = declared++;
      test(title, () => page.evaluate(run, { index, title }), timeout);
    },
  });

  test('the page has reported no error', () => expect(errors).toEqual([]));
});

/** In the page. */
function run({ index, title }: { readonly index: number; readonly title: string }): Promise<void> {
  return (globalThis as unknown as { readonly remote: Remote }).remote.run(index, title);
}

function unused(): never {
  throw new Error('the backend is made in the page');
}
