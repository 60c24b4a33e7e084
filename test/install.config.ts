/** The test that builds, packs and installs every package: minutes, not seconds, so `npm run test:install` has it for itself. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/install.test.ts'],
    testTimeout: 120_000,
    maxConcurrency: 2,
  },
});
