/** Builds a page with Vite, serves it as a browser wants it for shared memory, and opens it in Chromium. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { build, defaultClientConditions, preview } from 'vite';

/** A page that is built and served. */
export interface ServedPage {
  /** Where it is: `http://localhost:…/`, which browsers take for secure. */
  readonly url: string;
  /** Ends the server and removes what was built. */
  close(): Promise<void>;
}

/**
 * Builds the page in the folder `root` (its `index.html`, and its `vite.config.ts` where it has one) from the sources of
 * our packages, and serves it cross-origin isolated, which threads need to share memory. Files of `publicDir` (default: its
 * folder `public`) are served as they are.
 */
export async function servePage(root: string, options: { readonly publicDir?: string } = {}): Promise<ServedPage> {
  const outDir = await mkdtemp(join(tmpdir(), 'sinter-page-'));
  const headers = {
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Embedder-Policy': 'require-corp',
  };
  const common = {
    root,
    ...options,
    logLevel: 'warn',
    build: { outDir, emptyOutDir: true, target: 'esnext', chunkSizeWarningLimit: Infinity },
  } as const;
  await build({ ...common, resolve: { conditions: ['@sinter/source', ...defaultClientConditions] } });
  const server = await preview({ ...common, preview: { host: 'localhost', port: 0, headers } });
  return {
    url: server.resolvedUrls!.local[0]!,
    async close() {
      await server.close();
      await rm(outDir, { recursive: true, force: true });
    },
  };
}

/** Opens a page, and has what it reports as an error in `errors`: uncaught exceptions and `console.error`. */
export async function openPage(browser: Browser, url: string): Promise<{ page: Page; errors: readonly string[] }> {
  const page = await browser.newPage({ locale: 'en-US' });
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.stack ?? error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(`${message.text()} (${message.location().url})`);
  });
  await page.goto(url);
  return { page, errors };
}
