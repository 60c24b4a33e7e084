import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { findPython } from '../../../../tools/python.ts';
import { hubSettings, modelCacheFolder } from './environment.ts';
import { withLock } from './hub-cache.ts';
import { resolveModel } from './hub.ts';
import type { ResolveOptions } from './hub.ts';

const id = 'org/model';
const commit = 'a'.repeat(40);
const weights = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * i) % 251));
const config = Buffer.from('{"model_type":"bert"}');

/** A hub: what it has, how it misbehaves, and what it was asked. */
interface Hub {
  readonly endpoint: string;
  readonly files: Record<string, { readonly content: Buffer; readonly large?: boolean }>;
  commit: string;
  /** A token without which it answers 401. */
  wants: string | undefined;
  /** Breaks the connection after so many bytes of each answer from the store. */
  cutAfter: number;
  /** Ignores Range. */
  noRange: boolean;
  /** Sends other bytes than it announced. */
  corrupt: boolean;
  /** Answers 503 so many times first. */
  busy: number;
  /** Sends the first half of the weights and then nothing more. */
  stall: boolean;
  readonly log: {
    readonly method: string;
    readonly path: string;
    readonly range: string | undefined;
    readonly token: string | undefined;
    readonly store: boolean;
  }[];
}

const servers: Server[] = [];
const folders: string[] = [];
const temporary = () => (folders.push(mkdtempSync(join(tmpdir(), 'sinter-hub-'))), folders.at(-1)!);

async function listen(handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(handle);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Two real servers, as the hub and the store of its large files are two hosts. */
async function startHub(): Promise<Hub> {
  const note = (request: IncomingMessage, store: boolean) =>
    hub.log.push({
      method: request.method!,
      path: request.url!,
      range: request.headers.range,
      token: request.headers.authorization,
      store,
    });

  const send = (request: IncomingMessage, response: ServerResponse, content: Buffer) => {
    const body = hub.corrupt ? Buffer.from(content.map((byte) => byte ^ 1)) : content;
    const from = hub.noRange ? 0 : Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    if (from >= body.length && from > 0) return void response.writeHead(416).end();
    const part = body.subarray(from);
    const range = from > 0 ? { 'content-range': `bytes ${from}-${body.length - 1}/${body.length}` } : {};
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': part.length, ...range });
    if (hub.stall) response.write(part.subarray(0, part.length / 2));
    else if (part.length <= hub.cutAfter) response.end(part);
    else response.write(part.subarray(0, hub.cutAfter), () => setTimeout(() => response.destroy(), 20));
  };

  const store = await listen((request, response) => {
    note(request, true);
    const file = Object.values(hub.files).find(({ content }) => request.url === `/${sha256(content)}`);
    if (!file) return void response.writeHead(404).end();
    send(request, response, file.content);
  });

  const endpoint = await listen((request, response) => {
    note(request, false);
    if (hub.busy-- > 0) return void response.writeHead(503).end();
    if (hub.wants !== undefined && request.headers.authorization !== `Bearer ${hub.wants}`)
      return void response
        .writeHead(401, { 'x-error-code': 'GatedRepo', 'x-error-message': 'Access to model org/model is restricted.' })
        .end();
    const [, repo, revision, name] = /^\/(\w+\/\w+)\/resolve\/([^/]+)\/(.+)$/.exec(request.url!) ?? [];
    // A model that was renamed is answered with a redirect to where it is now.
    if (repo === 'old/name')
      return void response.writeHead(307, { location: request.url!.replace('old/name', id) }).end();
    if (repo !== id) return void response.writeHead(404, { 'x-error-code': 'RepoNotFound' }).end();
    if (revision !== 'main' && revision !== hub.commit)
      return void response.writeHead(404, { 'x-error-code': 'RevisionNotFound' }).end();
    const headers = { 'x-repo-commit': hub.commit };
    const file = hub.files[name!];
    if (!file) return void response.writeHead(404, { ...headers, 'x-error-code': 'EntryNotFound' }).end();
    const { content, large } = file;
    if (large) {
      const linked = { 'x-linked-etag': `"${sha256(content)}"`, 'x-linked-size': content.length, etag: '"another"' };
      return void response.writeHead(302, { ...headers, ...linked, location: `${store}/${sha256(content)}` }).end();
    }
    const etag = { etag: `W/"${gitHash(content)}"` };
    if (request.method === 'HEAD')
      return void response.writeHead(200, { ...headers, ...etag, 'content-length': content.length }).end();
    for (const [key, value] of Object.entries({ ...headers, ...etag })) response.setHeader(key, value);
    send(request, response, content);
  });

  const hub: Hub = {
    endpoint,
    files: { 'config.json': { content: config }, 'model.safetensors': { content: weights, large: true } },
    commit,
    wants: undefined,
    cutAfter: Infinity,
    noRange: false,
    corrupt: false,
    busy: 0,
    stall: false,
    log: [],
  };
  return hub;
}

/** An address where nothing listens. */
let nowhere: string;
beforeAll(async () => {
  nowhere = await listen(() => undefined);
  servers.pop()!.close();
});

const sha256 = (content: Buffer) => createHash('sha256').update(content).digest('hex');
const gitHash = (content: Buffer) =>
  createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');

let hub: Hub;
let cache_dir: string;
beforeEach(async () => {
  hub = await startHub();
  cache_dir = temporary();
});
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

const get = (options: ResolveOptions = {}, name = id) =>
  resolveModel(name, {
    cache_dir,
    endpoint: hub.endpoint,
    token: '',
    local_files_only: false,
    symlinks: true,
    ...options,
  });
const repo = () => join(cache_dir, 'models--org--model');
const blobs = () => readdirSync(join(repo(), 'blobs'));

describe('from the hub', () => {
  test('downloads into the layout of the Hugging Face cache, then finds it there without asking', async () => {
    const progress: string[] = [];
    const model = await get({ onProgress: ({ file, loaded, total }) => progress.push(`${file} ${loaded === total}`) });
    const folder = join(repo(), 'snapshots', commit);
    expect(model).toEqual({
      folder,
      source: 'hub',
      commit,
      files: { 'config.json': join(folder, 'config.json'), 'model.safetensors': join(folder, 'model.safetensors') },
    });
    expect(readFileSync(join(folder, 'model.safetensors')).equals(weights)).toBe(true);
    expect(readFileSync(join(folder, 'config.json')).equals(config)).toBe(true);
    expect(readlinkSync(join(folder, 'model.safetensors'))).toBe(join('..', '..', 'blobs', sha256(weights)));
    expect(readFileSync(join(repo(), 'refs', 'main'), 'utf8')).toBe(commit);
    expect(blobs().sort()).toEqual([gitHash(config), sha256(weights)].sort());
    expect(progress).toContain('config.json true');
    expect(progress.at(-1)).toBe('model.safetensors true');
    // After the first answer it asks by commit.
    expect(hub.log.filter(({ method }) => method === 'HEAD').map(({ path }) => path)).toEqual([
      `/org/model/resolve/main/config.json`,
      `/org/model/resolve/${commit}/model.safetensors`,
    ]);

    hub.log.length = 0;
    expect(await get()).toEqual({ ...model, source: 'cache' });
    expect(await get({ revision: commit })).toEqual({ ...model, source: 'cache' });
    expect(await get({ local_files_only: true })).toEqual({ ...model, source: 'cache' });
    expect(hub.log).toEqual([]);
  });

  test('asks again with `refresh`, and then fetches only what has changed', async () => {
    await get();
    hub.commit = 'b'.repeat(40);
    hub.files['config.json'] = { content: Buffer.from('{}') };
    hub.log.length = 0;
    expect((await get()).commit).toBe(commit);
    expect(hub.log).toEqual([]);
    const model = await get({ refresh: true });
    expect(model.commit).toBe(hub.commit);
    expect(readFileSync(model.files['config.json']!, 'utf8')).toBe('{}');
    expect(hub.log.some(({ store }) => store)).toBe(false);
  });

  test('remembers which optional files do not exist', async () => {
    const optional_files = ['vocab.txt', 'tokenizer/tokenizer.json'];
    hub.files['tokenizer/tokenizer.json'] = { content: Buffer.from('[]') };
    const model = await get({ optional_files });
    expect(Object.keys(model.files)).toEqual(['config.json', 'model.safetensors', 'tokenizer/tokenizer.json']);
    hub.log.length = 0;
    expect((await get({ optional_files })).source).toBe('cache');
    expect(hub.log).toEqual([]);
    // One that was never asked for is asked for now; without the network the model is used without it.
    expect((await get({ optional_files: ['merges.txt'], endpoint: nowhere })).source).toBe('cache');
    expect((await get({ optional_files: ['merges.txt'], local_files_only: true })).source).toBe('cache');
    expect((await get({ optional_files: ['merges.txt'] })).source).toBe('hub');
  });

  test('takes weights that are split', async () => {
    delete hub.files['model.safetensors'];
    const part = { content: weights, large: true };
    hub.files['model-1.safetensors'] = part;
    hub.files['model-2.safetensors'] = part;
    const map = { x: 'model-1.safetensors', y: 'model-2.safetensors' };
    hub.files['model.safetensors.index.json'] = { content: Buffer.from(JSON.stringify({ weight_map: map })) };
    const names = ['config.json', 'model.safetensors.index.json', 'model-1.safetensors', 'model-2.safetensors'];
    const model = await get();
    expect(Object.keys(model.files)).toEqual(names);
    expect(await get()).toEqual({ ...model, source: 'cache' });
    delete hub.files['model-2.safetensors'];
    cache_dir = temporary();
    await expect(get()).rejects.toThrow(/model-2.safetensors is not there/);
  });

  test("takes PyTorch's weights where there are no others, whole or split", async () => {
    delete hub.files['model.safetensors'];
    hub.files['pytorch_model.bin'] = { content: weights, large: true };
    const model = await get();
    expect(Object.keys(model.files)).toEqual(['config.json', 'pytorch_model.bin']);
    expect(await get({ local_files_only: true })).toEqual({ ...model, source: 'cache' });
    hub.log.length = 0;
    expect((await get()).source).toBe('cache');
    expect(hub.log).toEqual([]);
    delete hub.files['pytorch_model.bin'];
    cache_dir = temporary();
    await expect(get()).rejects.toThrow(/model.safetensors is not there.*pytorch_model.bin, whole or split/);
    const map = { x: 'pytorch_model-1.bin' };
    hub.files['pytorch_model.bin.index.json'] = { content: Buffer.from(JSON.stringify({ weight_map: map })) };
    hub.files['pytorch_model-1.bin'] = { content: weights, large: true };
    const names = ['config.json', 'pytorch_model.bin.index.json', 'pytorch_model-1.bin'];
    expect(Object.keys((await get()).files)).toEqual(names);
  });

  test('follows a model that was renamed', async () => {
    const model = await get({}, 'old/name');
    expect(readFileSync(model.files['model.safetensors']!).equals(weights)).toBe(true);
  });

  test('sends the token to the hub and to nobody else', async () => {
    hub.wants = 'secret';
    await get({ token: 'secret' });
    expect(hub.log.filter(({ store }) => !store).every(({ token }) => token === 'Bearer secret')).toBe(true);
    expect(hub.log.filter(({ store }) => store).map(({ token }) => token)).toEqual([undefined]);
  });

  test('waits for a hub that is busy', async () => {
    hub.busy = 2;
    expect((await get()).source).toBe('hub');
  });

  test('without symbolic links the snapshot holds the files themselves', async () => {
    const { files } = await get({ symlinks: false });
    expect(lstatSync(files['model.safetensors']!).isFile()).toBe(true);
    expect(readFileSync(files['model.safetensors']!).equals(weights)).toBe(true);
    await get({ symlinks: false, refresh: true });
    expect(readdirSync(join(repo(), 'snapshots', commit)).sort()).toEqual(['config.json', 'model.safetensors']);
  });

  test('several at once download once', async () => {
    const models = await Promise.all([get(), get(), get(), get({ files: ['model.safetensors'] })]);
    expect(new Set(models.map(({ folder }) => folder)).size).toBe(1);
    expect(hub.log.filter(({ store }) => store).length).toBe(1);
    expect(blobs().sort()).toEqual([gitHash(config), sha256(weights)].sort());
    expect(readdirSync(join(cache_dir, '.locks', 'models--org--model'))).toEqual([]);
  });
});

describe('a connection that breaks', () => {
  test('is taken up again where it broke', async () => {
    hub.cutAfter = 130_000;
    const { files } = await get();
    expect(readFileSync(files['model.safetensors']!).equals(weights)).toBe(true);
    expect(hub.log.filter(({ store }) => store).map(({ range }) => range)).toEqual([
      undefined,
      'bytes=130000-',
      'bytes=260000-',
    ]);
  });

  test('goes on with what an earlier process left behind', async () => {
    mkdirSync(join(repo(), 'blobs'), { recursive: true });
    writeFileSync(join(repo(), 'blobs', `${sha256(weights)}.incomplete`), weights.subarray(0, 100_000));
    const { files } = await get();
    expect(readFileSync(files['model.safetensors']!).equals(weights)).toBe(true);
    expect(hub.log.filter(({ store }) => store).map(({ range }) => range)).toEqual(['bytes=100000-']);
  });

  test.each([
    ['another file', () => Buffer.alloc(100_000, 7)],
    ['too long', () => Buffer.alloc(400_000, 7)],
    ['whole', () => weights],
  ])('what was left behind is %s', async (_, left) => {
    mkdirSync(join(repo(), 'blobs'), { recursive: true });
    writeFileSync(join(repo(), 'blobs', `${sha256(weights)}.incomplete`), left());
    const { files } = await get();
    expect(readFileSync(files['model.safetensors']!).equals(weights)).toBe(true);
  });

  test('starts over where the server knows no ranges', async () => {
    hub.cutAfter = 130_000;
    hub.noRange = true;
    setTimeout(() => (hub.cutAfter = Infinity), 200);
    const { files } = await get();
    expect(readFileSync(files['model.safetensors']!).equals(weights)).toBe(true);
  });

  test('for good: says so, and keeps what came', async () => {
    mkdirSync(join(repo(), 'blobs'), { recursive: true });
    const partial = join(repo(), 'blobs', `${sha256(weights)}.incomplete`);
    writeFileSync(partial, weights.subarray(0, 1000));
    hub.cutAfter = 0;
    await expect(get({ files: ['model.safetensors'] })).rejects.toMatchObject({
      code: 'interrupted',
      message: expect.stringMatching(/broke off 4 times in a row at byte 1000/),
    });
    expect(readFileSync(partial).length).toBe(1000);
    hub.cutAfter = Infinity;
    expect((await get()).source).toBe('hub');
  });

  test('an abort stops at once, and the next call goes on', async () => {
    hub.stall = true;
    const controller = new AbortController();
    const reason = new Error('enough');
    const onProgress = ({ file }: { file: string }) => file === 'model.safetensors' && controller.abort(reason);
    await expect(get({ files: ['model.safetensors'], signal: controller.signal, onProgress })).rejects.toBe(reason);
    expect(readdirSync(join(cache_dir, '.locks', 'models--org--model'))).toEqual([]);
    expect(blobs()).toEqual([`${sha256(weights)}.incomplete`]);
    hub.stall = false;
    await get();
    expect(hub.log.at(-1)!.range).toMatch(/^bytes=[1-9]\d*-$/);
  });
});

describe('what goes wrong is said', () => {
  test('other bytes than announced: the file is deleted', async () => {
    hub.corrupt = true;
    await expect(get({ files: ['model.safetensors'] })).rejects.toMatchObject({
      code: 'hash-mismatch',
      message: expect.stringMatching(/hash of [0-9a-f]{64} instead of [0-9a-f]{64}; .* was deleted.*HF_ENDPOINT/),
    });
    expect(blobs()).toEqual([]);
    await expect(get({ files: ['config.json'] })).rejects.toMatchObject({
      code: 'hash-mismatch',
      message: expect.stringMatching(/hash of [0-9a-f]{40} instead/),
    });
  });

  test('a file that is nowhere: every place is named', async () => {
    const error: Error = await get({ files: ['config.json', 'pytorch.safetensors'] }).then(
      () => expect.unreachable(),
      (error) => error,
    );
    expect(error).toMatchObject({ code: 'missing-file' });
    expect(error.message).toContain(
      `looked in ${join(process.cwd(), 'org/model')}, then ${repo()}, then ${hub.endpoint}/org/model (main)`,
    );
    expect(error.message).toContain('pytorch.safetensors is not there');
  });

  test('401', async () => {
    hub.wants = 'secret';
    await expect(get()).rejects.toMatchObject({
      code: 'unauthorized',
      message: expect.stringMatching(/401 \(Access to model org\/model is restricted.\).*HF_TOKEN/),
    });
    await expect(get({ token: 'wrong' })).rejects.toMatchObject({ code: 'unauthorized' });
  });

  test('404', async () => {
    await expect(get({}, 'org/other')).rejects.toMatchObject({ code: 'unknown-repo' });
    await expect(get({ revision: 'v2' })).rejects.toMatchObject({
      code: 'unknown-repo',
      message: expect.stringMatching(/spelling of the model id and the revision/),
    });
  });

  test('offline', async () => {
    await expect(get({ local_files_only: true })).rejects.toMatchObject({
      code: 'offline',
      message: expect.stringMatching(/HF_HUB_OFFLINE/),
    });
    expect(hub.log).toEqual([]);
  });

  test('no network', async () => {
    await expect(get({ endpoint: nowhere })).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringMatching(/ECONNREFUSED/),
    });
    await get();
    expect((await get({ endpoint: nowhere })).source).toBe('cache');
  });

  test('a server that is no hub', async () => {
    const endpoint = await listen((_, response) => void response.writeHead(200, { etag: '"x"' }).end());
    await expect(get({ endpoint })).rejects.toMatchObject({ code: 'bad-response' });
    const evil = await listen(
      (_, response) => void response.writeHead(200, { etag: '"../../x"', 'x-repo-commit': commit }).end(),
    );
    await expect(get({ endpoint: evil })).rejects.toMatchObject({ code: 'bad-response' });
    const loop = await listen((_, response) => void response.writeHead(302, { location: '/again' }).end());
    await expect(get({ endpoint: loop })).rejects.toThrow(/more than 10 redirects/);
  });

  test('names that lead out of the cache', async () => {
    await expect(get({ files: ['../secret'] })).rejects.toMatchObject({ code: 'bad-name' });
    await expect(get({ revision: '../../x' })).rejects.toMatchObject({ code: 'bad-name' });
    await expect(get({}, '')).rejects.toMatchObject({ code: 'bad-name' });
    await expect(get({}, './nowhere')).rejects.toMatchObject({ code: 'missing-file' });
    await expect(get({}, 'a/b/c')).rejects.toMatchObject({ code: 'missing-file' });
    expect(hub.log).toEqual([]);
  });
});

describe('a local folder', () => {
  test('is preferred, and must have the files', async () => {
    const folder = temporary();
    writeFileSync(join(folder, 'config.json'), config);
    writeFileSync(join(folder, 'model.safetensors'), weights);
    expect(await get({ optional_files: ['vocab.txt'] }, folder)).toEqual({
      folder,
      source: 'folder',
      commit: undefined,
      files: { 'config.json': join(folder, 'config.json'), 'model.safetensors': join(folder, 'model.safetensors') },
    });
    await expect(get({ files: ['vocab.txt'] }, folder)).rejects.toMatchObject({
      code: 'missing-file',
      message: expect.stringContaining(folder),
    });
    expect(hub.log).toEqual([]);
  });
});

test('a lock of a process that died is taken over', async () => {
  const dead = execFileSync(process.execPath, ['-p', 'require("os").hostname() + "\\n" + process.pid'], {
    encoding: 'utf8',
  }).trim();
  const lock = join(temporary(), 'locks', 'x');
  mkdirSync(join(lock, '..'));
  writeFileSync(lock, `${dead}\nx`);
  expect(await withLock(lock, undefined, async () => 7)).toBe(7);
  expect(existsSync(lock)).toBe(false);
});

test('the environment says where to look, as it does for Python', () => {
  const home = temporary();
  writeFileSync(join(home, 'token'), 'from-file\n');
  expect(hubSettings({ HF_HOME: home, HF_ENDPOINT: 'http://mirror/', HF_HUB_OFFLINE: 'yes' })).toEqual({
    cache_dir: join(home, 'hub'),
    endpoint: 'http://mirror',
    token: 'from-file',
    local_files_only: true,
    symlinks: true,
  });
  expect(hubSettings({ HF_HOME: home, HF_HUB_CACHE: '/c', HF_TOKEN: 't', HF_HUB_DISABLE_SYMLINKS: '1' })).toEqual({
    cache_dir: '/c',
    endpoint: 'https://huggingface.co',
    token: 't',
    local_files_only: false,
    symlinks: false,
  });
  expect(hubSettings({ XDG_CACHE_HOME: home, HF_TOKEN: 't', HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' })).toMatchObject({
    cache_dir: join(home, 'huggingface', 'hub'),
    token: undefined,
  });
  expect(modelCacheFolder('m', { XDG_CACHE_HOME: home })).toBe(join(home, 'sinter', 'models', 'm'));
});

const python = findPython(['huggingface_hub']);
describe.skipIf(!python)('Python', () => {
  test('finds in our cache what we downloaded', async () => {
    const model = await get({ optional_files: ['vocab.txt'] });
    const script = `
import sys
from huggingface_hub import scan_cache_dir, try_to_load_from_cache
for name in sys.argv[2:]: print(try_to_load_from_cache('${id}', name, cache_dir=sys.argv[1]))
info = scan_cache_dir(sys.argv[1])
print(info.size_on_disk, len(info.warnings))`;
    const said = execFileSync(
      python!,
      ['-c', script, cache_dir, 'config.json', 'model.safetensors', 'vocab.txt', 'other'],
      { encoding: 'utf8' },
    );
    const [config_, weights_, absent, unknown, size] = said.trim().split('\n');
    expect([config_, weights_]).toEqual(Object.values(model.files));
    expect(absent).toMatch(/object/);
    expect(unknown).toBe('None');
    expect(size).toBe(`${config.length + weights.length} 0`);
  });

  test('downloads what we then find, from the same hub', async () => {
    const script = `
import sys
from huggingface_hub import hf_hub_download
for name in ['config.json', 'model.safetensors']: hf_hub_download('${id}', name, cache_dir=sys.argv[1])`;
    const env = { PATH: process.env['PATH'], HF_ENDPOINT: hub.endpoint, HF_HOME: cache_dir, HF_HUB_DISABLE_XET: '1' };
    const child = spawn(python!, ['-c', script, cache_dir], { env, stdio: ['ignore', 'ignore', 'inherit'] });
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(0);
    hub.log.length = 0;
    const model = await get();
    expect(model.source).toBe('cache');
    expect(realpathSync(model.files['model.safetensors']!)).toBe(join(realpathSync(repo()), 'blobs', sha256(weights)));
    expect(hub.log).toEqual([]);
  });
});
