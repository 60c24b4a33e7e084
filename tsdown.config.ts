/** How every package is built: one `.js` and `.d.ts` per source file, so that `new URL('./worker.js', import.meta.url)` holds. */
import { readFileSync } from 'node:fs';
import { defineConfig } from 'tsdown';

const { dependencies = {} } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  readonly dependencies?: Readonly<Record<string, string>>;
};
/** Packages that only declare globals: what refers to them in the source is lost on the way to declaration files. */
const globals = Object.keys(dependencies).filter((name) => name.endsWith('/types'));

export default defineConfig({
  entry: ['src/**/*.{ts,js}', '!src/**/*.test.*'],
  unbundle: true,
  format: 'esm',
  platform: 'neutral',
  target: 'es2023',
  outExtensions: () => ({ js: '.js', dts: '.d.ts' }),
  dts: true,
  banner: { dts: globals.map((name) => `/// <reference types="${name}" />`).join('\n') },
  sourcemap: true,
  clean: true,
  logLevel: 'warn',
});
