import { expect, test } from 'vitest';
import { interpreter } from '../loop/backend.ts';
import type { Bundle } from './bundle.ts';
import { encodeBundle } from './encode.ts';
import { ArtifactError } from './errors.ts';
import type { LoadBundleOptions } from './load.ts';
import { loadBundle } from './load.ts';
import type { Manifest } from './manifest.ts';
import { encodeHead, headBytes, padded, pieceBytes } from './manifest.ts';
import { openBundle, verifyBundle } from './reader.ts';
import type { Runtime } from './runtime.ts';
import { contractVersion } from './runtime.ts';
import { bundleBytes, collectFiles, filesSource, sampleBundle } from './samples.test.kit.ts';
import type { ByteSource } from './source.ts';
import { bytesSource } from './source.ts';

const backend = interpreter();
const bundle = await sampleBundle(backend);
const good = await bundleBytes(bundle);
const { manifest } = await openBundle(bytesSource(good));
const headOf = (bytes: Uint8Array): number => padded(headBytes + new DataView(bytes.buffer).getUint32(12, true));

/** The interpreter, which tells what was done with it. */
function watched(change: Partial<Runtime> = {}): {
  runtime: Runtime;
  log: { loaded: number; closed: number; runs: number };
} {
  const log = { loaded: 0, closed: 0, runs: 0 };
  const runtime: Runtime = {
    name: backend.name,
    async load(artifact, options) {
      const program = await backend.load(artifact, options);
      log.loaded++;
      return {
        ...program,
        run: (inputs) => (log.runs++, program.run(inputs)),
        close: () => (log.closed++, program.close()),
      };
    },
    ...change,
  };
  return { runtime, log };
}

/** The error of a load, before which nothing may have run and after which nothing may be open. */
async function refused(
  source: ByteSource | Uint8Array,
  options?: LoadBundleOptions,
  change?: Partial<Runtime>,
): Promise<ArtifactError> {
  const { runtime, log } = watched(change);
  const error: unknown = await loadBundle(
    source instanceof Uint8Array ? bytesSource(source) : source,
    runtime,
    options,
  ).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ArtifactError);
  expect(log.closed).toBe(log.loaded);
  if ((error as ArtifactError).fault !== 'check') expect(log.runs).toBe(0);
  return error as ArtifactError;
}

/** The good file with another manifest; `parts` lie where they lay. */
async function withManifest(change: (m: Manifest) => Manifest): Promise<Uint8Array> {
  const head = await encodeHead(change(structuredClone(manifest)));
  const out = new Uint8Array(head.length + good.length - headOf(good));
  out.set(head);
  out.set(good.subarray(headOf(good)), head.length);
  return out;
}

const flipped = (bytes: Uint8Array, at: number): Uint8Array => {
  const out = bytes.slice();
  out[at]! ^= 1 << (at % 8);
  return out;
};

test('a flipped byte anywhere: head, manifest, every part, all padding', async () => {
  const start = headOf(good);
  const places = new Set<number>([good.length - 1]);
  for (let at = 0; at < headBytes; at++) places.add(at);
  for (let at = headBytes; at < start; at += 11) places.add(at);
  for (const { offset, bytes } of manifest.parts)
    for (const at of [0, bytes >> 1, bytes - 1, bytes, padded(bytes) - 1]) places.add(start + offset + at);
  for (const at of places) {
    if (at >= good.length) continue;
    const error: unknown = await verifyBundle(bytesSource(flipped(good, at))).catch((e: unknown) => e);
    expect(error, `byte ${at}`).toBeInstanceOf(ArtifactError);
    expect(['not-sinter', 'damaged', 'newer', 'truncated'], `byte ${at}`).toContain((error as ArtifactError).fault);
  }
});

test('a flipped byte in code, a plan, a constant or weights is refused by loading', async () => {
  const start = headOf(good);
  const used = [
    ...Object.values(manifest.entries).flatMap((e) => [
      e.plan,
      ...Object.values(e.code),
      ...Object.values(e.constants),
    ]),
    ...manifest.weights,
  ];
  for (const number of used) {
    const { offset, bytes } = manifest.parts[number]!;
    const error = await refused(flipped(good, start + offset + (bytes >> 1)));
    expect(error.fault).toBe('damaged');
    expect(error.message).toMatch(
      /is damaged: the \d+ bytes from position \d+ on are not what was written; fetch it again/,
    );
  }
  expect((await refused(flipped(good, headBytes + 5))).message).toMatch(
    /the \d+ bytes from position 64 on are not what was written/,
  );
});

test.each([true, false])('a file that ends early, at many lengths (its length is known: %s)', async (known) => {
  for (let length = 0; length < good.length; length += length < 600 ? 37 : 1111) {
    const cut = bytesSource(good.subarray(0, length));
    const error: unknown = await verifyBundle(known ? cut : { ...cut, size: async () => undefined }).catch(
      (e: unknown) => e,
    );
    expect(error, `${length} bytes`).toBeInstanceOf(ArtifactError);
    expect((error as ArtifactError).fault, `${length} bytes`).toBe('truncated');
  }
  expect((await refused(good.subarray(0, good.length - 1))).message).toMatch(
    /ends after \d+ bytes, before all of it is there; fetch it again/,
  );
});

test('bytes behind the end', async () => {
  const longer = new Uint8Array(good.length + 1);
  longer.set(good);
  expect((await refused(longer)).message).toMatch(/the 1 bytes from position \d+ on are not what was written/);
});

test('something else', async () => {
  const error = await refused(new TextEncoder().encode('<!doctype html><title>Not found</title>'));
  expect(error.fault).toBe('not-sinter');
  expect(error.message).toBe('this is no .sinter file: it begins with "<!doctyp"');
});

test('a newer format, a newer contract, a runtime that is older than the contract', async () => {
  const newer = good.slice();
  new DataView(newer.buffer).setUint32(8, 2, true);
  const error = await refused(newer);
  expect([error.fault, error.message]).toEqual([
    'newer',
    expect.stringMatching(/has format 2, this version reads up to 1; update sinter/),
  ]);
  const contract = await withManifest((m) => ({ ...m, contract: contractVersion + 1 }));
  expect((await refused(contract)).fault).toBe('newer');
  expect((await refused(good, {}, { contract: 0 })).message).toMatch(
    /the runtime 'interpreter' and its loader know 0; update them/,
  );
});

test('members of the manifest that are not known are skipped', async () => {
  const more = await withManifest((m) => ({ ...m, later: { a: 1 } }) as Manifest);
  await verifyBundle(bytesSource(more));
});

test('a manifest that makes no sense, though its hash is right', async () => {
  const wrong: ((m: Manifest) => unknown)[] = [
    (m) => ({ ...m, entries: { forward: { ...m.entries['forward']!, plan: 999 } } }),
    (m) => ({ ...m, parts: m.parts.map((p) => ({ ...p, offset: p.offset + 1 })) }),
    (m) => ({ ...m, parts: m.parts.map((p) => ({ ...p, offset: -256 })) }),
    (m) => ({ ...m, parts: m.parts.map((p) => ({ ...p, bytes: p.bytes + pieceBytes })) }),
  ];
  for (const change of wrong)
    expect((await refused(await withManifest(change as (m: Manifest) => Manifest))).message).toMatch(/makes no sense/);
});

test('another backend', async () => {
  const error = await refused(good, {}, { name: 'webgpu' });
  expect(error.fault).toBe('backend');
  expect(error.message).toBe(
    "'sample' was built for the backend 'interpreter', not for 'webgpu'; load it there, or build it for 'webgpu'",
  );
  const mixed = { ...bundle.entries, other: { ...bundle.entries['forward']!, backend: 'other' } };
  await expect(encodeBundle({ ...bundle, entries: mixed })).rejects.toMatchObject({ fault: 'backend' });
});

test('a machine that lacks what the asked entry points require', async () => {
  const requires = { features: ['shader-f16'], limits: { maxBufferSize: 1000 } };
  const more = { features: ['subgroups'], limits: { maxBufferSize: 2000 } };
  const { forward, train_step: step } = bundle.entries;
  const bytes = await bundleBytes({
    ...bundle,
    entries: { forward: { ...forward!, requires }, train_step: { ...step!, requires: more } },
  });
  const asked: unknown[] = [];
  const error = await refused(bytes, {}, { supports: (r) => (asked.push(r), "the feature 'shader-f16'") });
  expect(error.fault).toBe('requires');
  expect(error.message).toBe("'sample' cannot run on this machine: it requires the feature 'shader-f16'");
  expect(asked).toEqual([requires]);
  const { runtime } = watched({ supports: async (r) => (asked.push(r), undefined) });
  (await loadBundle(bytesSource(bytes), runtime, { entries: ['forward'] })).close();
  expect(asked).toEqual([requires, requires]);
});

test('entry points and files that are not there', async () => {
  const error = await refused(good, { entries: ['forwards'] });
  expect([error.fault, error.message]).toEqual([
    'unknown-entry',
    "'sample' has no entry point 'forwards'; it has forward, train_step",
  ]);
  expect((await refused(good, { entries: [] })).fault).toBe('unknown-entry');
  const reader = await openBundle(bytesSource(good));
  await expect(reader.file('tokenizer.json')).rejects.toThrow(
    "'sample' has no file 'tokenizer.json'; near it: 'config.json'",
  );
  await expect(encodeBundle({ ...bundle, check: { backward: bundle.check!['forward']! } })).rejects.toMatchObject({
    fault: 'unknown-entry',
  });
});

test('weights that are missing, too many, or of another shape or dtype', async () => {
  const weights = bundle.weights!;
  const { w, b } = weights as Required<NonNullable<Bundle['weights']>>;
  const attempt = (change: Partial<Bundle>): Promise<unknown> => encodeBundle({ ...bundle, ...change });
  await expect(attempt({ weights: { w: w! } })).rejects.toThrow(
    "1 of 3 states have no weights: b; give them, or list in 'zeros' what starts at zero",
  );
  await expect(attempt({ zeros: [] })).rejects.toThrow('1 of 3 states have no weights: steps');
  await expect(attempt({ weights: { ...weights, bb: b! } })).rejects.toThrow(
    "no entry point has the state 'bb'; near it: 'b'",
  );
  await expect(attempt({ weights: { ...weights, b: { ...b!, shape: [4] } } })).rejects.toThrow(
    "the weights of 'b' are f32[4], the state is f32[3]",
  );
  await expect(attempt({ weights: { ...weights, b: { ...b!, dtype: 'i32' } } })).rejects.toThrow(
    "the weights of 'b' are i32[3], the state is f32[3]",
  );
  await expect(attempt({ weights: { ...weights, b: { ...b!, data: new Float32Array(2) } } })).rejects.toThrow(
    'their data has 8 bytes',
  );
  // A file that was not made by us may promise what its parts do not hold.
  const at = { part: 0, at: 1 << 20, dtype: 'f32' as const };
  const beyond = await withManifest((m) => ({ ...m, state: { ...m.state, b: { ...m.state['b']!, from: at } } }));
  expect((await refused(beyond)).message).toMatch(/the weights of 'b' end behind their part, at 1048588/);
  const reader = await openBundle(bytesSource(good));
  await expect(reader.weights(['steps'])[Symbol.asyncIterator]().next()).rejects.toThrow(
    "'sample' has no weights for 'steps'",
  );
});

test('weights beside that are missing, cut, damaged or longer', async () => {
  const files = await collectFiles(await encodeBundle(bundle, { weights: 'beside' }));
  const [name, main] = [...files.keys()].slice(0, 2).reverse() as [string, string];
  expect((await refused(bytesSource(files.get(main)!))).message).toMatch(
    /are in 'model.safetensors' beside it; give the source a 'beside'/,
  );
  const weights = files.get(name)!;
  const change = (bytes: Uint8Array): ByteSource => filesSource(new Map([...files, [name, bytes]]));
  expect((await refused(change(weights.subarray(0, 300)))).message).toMatch(
    /model.safetensors ends after 300 bytes, before all of it is there/,
  );
  expect((await refused(change(flipped(weights, weights.length - 3)))).fault).toBe('damaged');
  const longer = new Uint8Array(weights.length + 4);
  longer.set(weights);
  expect((await refused(change(longer))).fault).toBe('damaged');
});

test('a stored answer that the device does not give', async () => {
  const wrong = (change: Partial<NonNullable<Bundle['check']>[string]>): Promise<Uint8Array> => {
    const forward = { ...bundle.check!['forward']!, ...change };
    return bundleBytes({ ...bundle, check: { forward } });
  };
  const y = bundle.check!['forward']!.outputs['y']!;
  const off = Float32Array.from(y.data);
  off[4]! += 0.25;
  const error = await refused(await wrong({ outputs: { y: { ...y, data: off } } }), { selfCheck: true });
  expect(error.fault).toBe('check');
  expect(error.message).toMatch(
    /'sample' gives wrong results on this machine: output 'y' of 'forward', f32\[2, 3\]: element 4 is .*, the stored answer .* \(off by 0.2[45].*, allowed 0.00.*\); 1 of 6 elements are off/,
  );
  const tolerance = { absolute: 0.3, relative: 0 };
  const lenient = await wrong({ outputs: { y: { ...y, data: off } }, tolerance });
  (await loadBundle(bytesSource(lenient), backend, { selfCheck: true })).close();
  const nan = await wrong({ outputs: { y: { ...y, data: Float32Array.from(y.data, () => NaN) } }, tolerance });
  expect((await refused(nan, { selfCheck: true })).message).toMatch(/6 of 6 elements are off/);
  const shape = await wrong({ outputs: { y: { ...y, shape: [1, 6] } } });
  expect((await refused(shape, { selfCheck: true })).message).toMatch(/is \[2, 3\], the stored answer \[1, 6\]/);
  expect((await refused(await bundleBytes({ ...bundle, check: {} }), { selfCheck: true })).message).toMatch(
    /carries no case to check/,
  );
});

test('a load that is called off closes what it opened', async () => {
  const stop = new AbortController();
  const { runtime, log } = watched();
  const load = loadBundle(bytesSource(good), runtime, {
    signal: stop.signal,
    onProgress: ({ stage }) => stage === 'weights' && stop.abort(new Error('enough')),
  });
  await expect(load).rejects.toThrow('enough');
  expect(log).toEqual({ loaded: log.closed, closed: log.loaded, runs: 0 });
});
