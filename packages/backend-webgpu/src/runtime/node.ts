/** WebGPU in Node: the npm package `webgpu` (Dawn), and a software adapter that stands in for a GPU that is not there. */
import { BackendError } from '@sinter/compiler/artifact';
import type { AdapterOptions } from './host.ts';

const node = process.getBuiltinModule;

/** The adapter that fits best. */
export async function nodeAdapter({ powerPreference, software }: AdapterOptions): Promise<GPUAdapter> {
  const request = powerPreference === undefined ? {} : { powerPreference };
  const adapter = software === true ? undefined : await (await nativeGpu())?.requestAdapter(request);
  return adapter ?? softwareAdapter(software);
}

/** What we use of the npm package `webgpu`. */
interface Dawn {
  create(options: readonly string[]): GPU;
}
/** What we use of the npm package `koffi`. */
interface Koffi {
  load(path: string | null): { func(prototype: string): (...args: unknown[]) => unknown };
}

/** Imports a package that users install beside ours; bundlers must not look for it. */
async function optional<T>(name: string): Promise<T> {
  return (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)) as T;
}

async function dawn(): Promise<Dawn> {
  try {
    return await optional<Dawn>('webgpu');
  } catch (error) {
    throw new BackendError(
      `webgpu: Node has no WebGPU of its own and the package 'webgpu' could not be loaded (${(error as Error).message}); ` +
        `install it: npm install webgpu`,
    );
  }
}

async function koffi(): Promise<Koffi | undefined> {
  return optional<{ default: Koffi }>('koffi').then(
    (m) => m.default,
    () => undefined,
  );
}

let native: Promise<GPU | undefined> | undefined;
/** The machine's own GPUs. Without a Vulkan loader there are none on Linux, and Dawn would complain on stderr. */
function nativeGpu(): Promise<GPU | undefined> {
  native ??= (async () => {
    if (process.platform === 'linux' && !(await hasLibrary('libvulkan.so.1'))) return undefined;
    return (await dawn()).create([]);
  })();
  native.catch(() => (native = undefined));
  return native;
}

async function hasLibrary(name: string): Promise<boolean> {
  const ffi = await koffi();
  try {
    ffi?.load(name);
    return true;
  } catch {
    return false;
  }
}

/** The machine's own adapters, by their names. */
export async function nodeAdapters({ software }: AdapterOptions): Promise<GPUAdapter[]> {
  const found: (GPUAdapter | null | undefined)[] = [];
  if (software !== true && (await nativeGpu())) {
    const { create } = await dawn();
    for (const name of await dawnNames(create)) found.push(await create([`adapter=${name}`]).requestAdapter());
  }
  const real = found.filter((adapter) => adapter != null);
  if (real.length > 0 || software === false) return real;
  return softwareAdapter(software).then(
    (adapter) => [adapter],
    () => [],
  );
}

/** Dawn tells the names of its adapters only in the error for one that is not there. */
async function dawnNames(create: Dawn['create']): Promise<string[]> {
  try {
    await create(['adapter=\u0001']).requestAdapter();
    return [];
  } catch (error) {
    const names = [...String((error as Error).message).matchAll(/name: '(.*)'/g)].map((m) => m[1]!);
    return [...new Set(names)];
  }
}

let software: Promise<GPU> | undefined;
let told = false;

/** SwiftShader, which npm's `@sparticuz/chromium` carries. `wanted`: it was asked for by name. */
async function softwareAdapter(wanted: boolean | undefined): Promise<GPUAdapter> {
  if (wanted === false) throw new BackendError('webgpu: no adapter was found, and the software adapter is not wanted');
  software ??= startSoftware();
  software.catch(() => (software = undefined));
  const adapter = await (await software).requestAdapter();
  if (!adapter) throw new BackendError('webgpu: the software adapter does not start on this machine');
  if (!told) process.stderr.write('sinter: software adapter (SwiftShader): right, but slow\n');
  told = true;
  return adapter;
}

async function startSoftware(): Promise<GPU> {
  const { create } = await dawn();
  const ffi = await koffi();
  const archive = archivePath();
  if (process.platform !== 'linux' || process.arch !== 'x64' || !ffi || archive === undefined) {
    throw new BackendError(
      'webgpu: no adapter was found: there is no GPU, or no driver for it (Vulkan, Metal or Direct3D 12). ' +
        'On Linux (x64) a software adapter can stand in: npm install koffi @sparticuz/chromium',
    );
  }
  const folder = unpackOnce(archive);
  // The variable must be seen by the loader, which a worker's own copy of the environment is not.
  const libc = ffi.load(null);
  const setenv = libc.func('int setenv(const char *name, const char *value, int overwrite)');
  setenv('VK_ICD_FILENAMES', `${folder}/vk_swiftshader_icd.json`, 1);
  // Dawn opens the loader by its name, and finds the one that is there already.
  ffi.load(`${folder}/libvulkan.so.1`);
  return create([]);
}

/** Where the driver is packed, if it is installed. */
function archivePath(): string | undefined {
  const { createRequire } = node('node:module');
  const { dirname, join } = node('node:path');
  const { existsSync } = node('node:fs');
  try {
    let folder = dirname(createRequire(import.meta.url).resolve('@sparticuz/chromium'));
    for (; folder !== dirname(folder); folder = dirname(folder)) {
      const path = join(folder, 'bin/swiftshader.tar.br');
      if (existsSync(path)) return path;
    }
  } catch {
    // It is not installed.
  }
  return undefined;
}

/** The folder with the driver's files, in the user's cache; a new one is made whole before it gets its name. */
function unpackOnce(archive: string): string {
  const fs = node('node:fs');
  const { join } = node('node:path');
  const os = node('node:os');
  const packed = fs.readFileSync(archive);
  const hash = node('node:crypto').createHash('sha256').update(packed).digest('hex').slice(0, 16);
  let cache = join(os.homedir(), '.cache', 'sinter');
  try {
    fs.mkdirSync(cache, { recursive: true });
    fs.accessSync(cache, fs.constants.W_OK);
  } catch {
    cache = fs.mkdtempSync(join(os.tmpdir(), 'sinter-'));
  }
  const folder = join(cache, `swiftshader-${hash}`);
  if (fs.existsSync(folder)) return folder;
  const fresh = fs.mkdtempSync(`${folder}-`);
  for (const [name, bytes] of tarEntries(node('node:zlib').brotliDecompressSync(packed))) {
    if (/^(libvulkan|libvk_swiftshader|vk_swiftshader_icd)[\w.]*$/.test(name))
      fs.writeFileSync(join(fresh, name), bytes, { mode: 0o755 });
  }
  try {
    fs.renameSync(fresh, folder);
  } catch (error) {
    // Another process was faster.
    fs.rmSync(fresh, { recursive: true, force: true });
    if (!fs.existsSync(folder)) throw error;
  }
  return folder;
}

/** The files of a tar archive (POSIX ustar: a header of 512 bytes, then the data in blocks of 512). */
function* tarEntries(tar: Uint8Array): Generator<[name: string, bytes: Uint8Array]> {
  const text = (from: number, length: number): string =>
    new TextDecoder().decode(tar.subarray(from, from + length)).replace(/\0.*$/s, '');
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0;) {
    const size = parseInt(text(at + 124, 12), 8);
    yield [text(at, 100).replace(/^\.\//, ''), tar.subarray(at + 512, at + 512 + size)];
    at += 512 + Math.ceil(size / 512) * 512;
  }
}
