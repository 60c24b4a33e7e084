/** How every package is built: one `.js` and `.d.ts` per source file, so that `new URL('./worker.js', import.meta.url)` holds. */
import { defineConfig } from 'tsdown';

export default defineConfig({
  entry: ['src/**/*.{ts,js}', '!src/**/*.test.*'],
  unbundle: true,
  format: 'esm',
  platform: 'neutral',
  target: 'es2023',
  outExtensions: () => ({ js: '.js', dts: '.d.ts' }),
  dts: true,
  sourcemap: true,
  clean: true,
  logLevel: 'warn',
});
