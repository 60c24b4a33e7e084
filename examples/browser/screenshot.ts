/** Takes the picture of the page in the docs: after `prepare-model`, with a text that the page has just learned about. */
import { fileURLToPath } from 'node:url';
import { launchChromium } from '../../tools/chromium.ts';
import { openPage, servePage } from '../../tools/page.ts';
import { ready, train, type, verdict } from './steps.ts';

const browser = await launchChromium();
if (browser) {
  const served = await servePage(fileURLToPath(new URL('.', import.meta.url)));
  try {
    const { page } = await openPage(browser, served.url);
    await page.setViewportSize({ width: 1120, height: 900 });
    await ready(page);
    console.log(await page.locator('#device').textContent());
    console.log('before:', await type(page, 'See you at the station at noon'));
    await train(page);
    console.log('after:', await verdict(page));
    await page.screenshot({ path: fileURLToPath(new URL('../../docs/browser.png', import.meta.url)), fullPage: true });
  } finally {
    await browser.close();
    await served.close();
  }
}
