import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { conditions: ['@sinter/source'] },
  ssr: { resolve: { conditions: ['@sinter/source'] } },
  test: {
    include: [
      'packages/*/src/**/*.test.ts',
      'packages/*/test/**/*.test.ts',
      'examples/*/**/*.test.ts',
      'bench/**/*.test.ts',
      'test/**/*.test.ts',
      'tools/**/*.test.ts',
      'docs/**/*.test.ts',
    ],
    exclude: ['**/node_modules/**', 'test/install.test.ts'],
    setupFiles: ['test/setup.ts'],
    // Tests compile what they test; those of the cache have folders of their own.
    env: { SINTER_CACHE: 'off' },
    testTimeout: 60_000,
  },
});
