/**
 * A headless Chromium with WebGPU, for tests whose oracle is a real browser; prints why when there is none. Where there is
 * no GPU it computes on SwiftShader, a software GPU that comes with the browser.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync } from 'node:zlib';
import type { Browser } from 'playwright-core';
import { chromium } from 'playwright-core';

/** Options of {@link launchChromium}. */
export interface ChromiumOptions {
  /** Whether pages find a WebGPU adapter (SwiftShader's, so that every machine computes the same). Default `true`. */
  readonly webgpu?: boolean;
}

/** An executable, and what it needs in its environment. */
interface Candidate {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
}

/** The browser runs as whoever runs the tests, which in a container is root: there Chromium's sandbox does not start. */
const always = ['--no-sandbox'];
/** Chromium counts a software GPU as unsafe; adapters are asked for by name, so a real one is never taken instead. */
const withWebGPU = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];
/** `navigator.gpu` stays, as on a machine with a blocked GPU, and has no adapter to give. */
const withoutWebGPU = ['--disable-features=WebGPUService'];

/**
 * Starts a Chromium: the one that the npm package `@sparticuz/chromium` carries (x64 Linux), else the system's. Gives
 * `undefined`, after printing what was tried, where none starts. Use as `describe.skipIf(!browser)`, and close it.
 */
export async function launchChromium({ webgpu = true }: ChromiumOptions = {}): Promise<Browser | undefined> {
  const args = [...always, ...(webgpu ? withWebGPU : withoutWebGPU)];
  const tried: string[] = [];
  for (const find of [packaged, installed]) {
    try {
      const { path, env } = await find();
      return await chromium.launch({ executablePath: path, args, env: { ...process.env, ...env }, timeout: 30_000 });
    } catch (error) {
      tried.push((error as Error).message.split('\n', 1)[0]!);
    }
  }
  console.warn(`skipped: no Chromium starts here (${tried.join('; ')})`);
  return undefined;
}

/** The npm package's archives, unpacked once into `.cache`. */
async function packaged(): Promise<Candidate> {
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error('@sparticuz/chromium is for x64 Linux');
  const root = join(dirname(createRequire(import.meta.url).resolve('@sparticuz/chromium')), '../..');
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  const cache = fileURLToPath(new URL('../.cache', import.meta.url));
  const folder = join(cache, `chromium-${version}`);
  if (!existsSync(folder)) {
    await mkdir(cache, { recursive: true });
    const half = await mkdtemp(`${folder}-`);
    const unpack = async (name: string): Promise<Buffer> =>
      brotliDecompressSync(await readFile(join(root, 'bin', `${name}.br`)));
    await writeFile(join(half, 'chromium'), await unpack('chromium'));
    for (const name of ['swiftshader.tar', 'fonts.tar', 'al2023.tar']) {
      const { status, stderr } = spawnSync('tar', ['-xC', half], { input: await unpack(name), encoding: 'utf8' });
      if (status !== 0) throw new Error(`${name} of @sparticuz/chromium cannot be unpacked: ${stderr}`);
    }
    await chmod(join(half, 'chromium'), 0o755);
    // Another process may have been quicker: then its folder is as good.
    await rename(half, folder).catch(() => rm(half, { recursive: true }));
  }
  const path = join(folder, 'chromium');
  const missing = spawnSync('ldd', [path], { encoding: 'utf8' }).stdout.includes('not found');
  const libraries = [join(folder, 'lib'), process.env['LD_LIBRARY_PATH'] ?? ''].filter(Boolean).join(':');
  return {
    path,
    env: { FONTCONFIG_PATH: join(folder, 'fonts'), ...(missing ? { LD_LIBRARY_PATH: libraries } : {}) },
  };
}

async function installed(): Promise<Candidate> {
  const path = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
  if (path === undefined) throw new Error('no chromium in /usr/bin');
  return { path, env: {} };
}
