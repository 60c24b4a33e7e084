/** The page. Threads share memory only in pages that are isolated from others, so the server says that this one is. */
import { defaultClientConditions, defineConfig } from 'vite';

const headers = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

export default defineConfig({
  base: './',
  resolve: { conditions: ['@sinter/source', ...defaultClientConditions] },
  build: { target: 'esnext' },
  server: { headers },
  preview: { headers },
});
