/** What a reader does with the page, as functions on a browser's page: for the test, and for the picture in the docs. */
import type { Page } from 'playwright-core';

/** Waits until the model is there and checked; throws what the page says where it is not. */
export async function ready(page: Page): Promise<void> {
  const done = page.locator('#train:enabled').waitFor({ timeout: 150_000 });
  const failed = page.locator('.loading[data-failed] #stage').waitFor({ timeout: 150_000 });
  failed.catch(() => undefined);
  await Promise.race([
    done,
    failed.then(async () => {
      throw new Error(`the page does not load its model: ${await page.locator('#stage').textContent()}`);
    }),
  ]);
}

/** Types a text as somebody would, and gives the class that the page says once it has read all of it. */
export async function type(page: Page, text: string): Promise<string> {
  await page.locator('#text').fill('');
  await page.locator('#verdict[data-class=none]').waitFor();
  await page.locator('#text').pressSequentially(text);
  return verdict(page);
}

/** The class that the page says of the text, once nothing is being computed. */
export async function verdict(page: Page): Promise<string> {
  await page.locator('#verdict:not([data-class=none]):not([aria-busy=true])').waitFor({ timeout: 60_000 });
  return (await page.locator('#verdict').getAttribute('data-class'))!;
}

/** Presses "Train" and waits for the end; gives the loss of every step, as the page told it. */
export async function train(page: Page): Promise<number[]> {
  const said = await page.evaluateHandle(`(() => {
    const said = [];
    const element = document.getElementById('training');
    new MutationObserver(() => said.push(element.textContent)).observe(element, { childList: true });
    return said;
  })()`);
  await page.locator('#train').click();
  await page.locator('#train:disabled').waitFor();
  await page.locator('#train:enabled').waitFor({ timeout: 150_000 });
  return ((await said.jsonValue()) as string[]).flatMap((line) => {
    const loss = /^Step .* loss ([\d.]+),/.exec(line)?.[1];
    return loss === undefined ? [] : [Number(loss)];
  });
}
