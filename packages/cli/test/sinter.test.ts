/** Every verb as users run it: the binary as a process, on a small BERT and on graph files. */
import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpu } from '@sinter/backend-cpu';
import { loadBundle, openBundle } from '@sinter/compiler/artifact';
import type { Manifest } from '@sinter/compiler/artifact';
import { graph, input, matmul, printGraph, softmax, state } from '@sinter/ir';
import { writeSafetensors } from '@sinter/models';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSource } from '../src/files.ts';
import { smallBert } from './bert.ts';
import type { Ended } from './command.ts';
import { sinter } from './command.ts';

let root: string;
let bert: Awaited<ReturnType<typeof smallBert>>;
let compiled: Ended;
let file: string;
const texts = ['Free lunch now!', 'meeting with the team'];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'sinter-'));
  bert = await smallBert(root);
  const entries = ['--entry', 'forward,evaluate,train_step', '--weight_decay', '0.01'];
  compiled = await sinter('compile', bert.folder, ...entries, '--dims', 'batch=1..32', '-o', join(root, 'out'));
  file = join(root, 'out', 'bert.sinter');

  const scores = softmax(matmul(input('x', ['batch', 2]), state('w', [2, 3])));
  await writeFile(join(root, 'scores.graph'), printGraph(graph('scores', { outputs: { y: scores } })));
  const w = { dtype: 'f32', shape: [2, 3], data: Float32Array.of(0, Math.log(2), Math.log(5), 0, 0, 0) } as const;
  await writeSafetensors(join(root, 'w.safetensors'), { w });
}, 120_000);
afterAll(() => rm(root, { recursive: true, force: true }));

/** What the model itself says of the texts. */
async function wanted(): Promise<number[]> {
  await using classify = await bert.model.compile(cpu({ threads: 1 }));
  const { logits } = await classify(bert.tokenizer(texts, { padding: true, return_tensors: 'i32' }));
  return Array.from(logits!.data);
}

describe('compile', () => {
  test('writes one file and a summary', async () => {
    expect(compiled.err).toBe('');
    expect(compiled.code).toBe(0);
    expect(compiled.out).toMatch(/forward +batch=1\.\.32 seq=1\.\.64 +\d+ +\d+ +[\d.]+ MiB +yes/);
    expect(compiled.out).toMatch(/train_step .* yes/);
    expect(compiled.out).toMatch(/weights: 41 tensors, .*; 83 more begin at zero/);
    expect(compiled.out).toContain(`${file}  `);
    expect(await readdir(join(root, 'out'))).toEqual(['bert.sinter']);
  });

  test('the file passes its self-check, and its entry points share the weights', async () => {
    await using loaded = await loadBundle(openSource(file), cpu({ threads: 1 }), { selfCheck: true });
    const batch = bert.tokenizer(texts, { padding: true, return_tensors: 'i32' });
    const labels = { shape: [2], data: Int32Array.of(1, 0) };
    const { forward, evaluate, train_step } = loaded.programs;
    expect((await forward!.run(batch))['logits']!.data).toEqual(Float32Array.from(await wanted()));
    const before = (await evaluate!.run({ ...batch, labels }))['loss']!.data[0]!;
    for (let i = 0; i < 20; i++)
      await train_step!.run({
        ...batch,
        labels,
        learning_rate: { shape: [], data: Float32Array.of(0.01) },
        seed: { shape: [], data: Uint32Array.of(1) },
      });
    expect((await evaluate!.run({ ...batch, labels }))['loss']!.data[0]).toBeLessThan(before / 4);
    expect(await loaded.state.read('optimizer.step')).toEqual(Int32Array.of(20));
  });

  test('weights beside, in shards of half precision, are found again', async () => {
    const out = join(root, 'beside');
    const { code } = await sinter('compile', bert.folder, '--weights', 'f16', '--max-shard-bytes', '20KB', '-o', out);
    expect(code).toBe(0);
    const names = await readdir(out);
    expect(names).toContain('bert.safetensors.index.json');
    expect(names.filter((name) => /^bert-0000\d-of-0000\d\.safetensors$/.test(name)).length).toBeGreaterThan(1);
    const { out: said } = await sinter(
      'run',
      join(out, 'bert.sinter'),
      '--text',
      texts[0]!,
      '--text',
      texts[1]!,
      '--self-check',
      '--json',
    );
    const { out: full } = await sinter('run', file, '--text', texts[0]!, '--text', texts[1]!, '--json');
    const score = (json: string) => (JSON.parse(json) as { scores: { score: number }[] }[])[0]!.scores[0]!.score;
    expect(score(said)).toBeCloseTo(score(full), 2);
    expect(score(said)).not.toBe(score(full));
    expect((await sinter('verify', join(out, 'bert.sinter'))).out).toContain('bert-00001-of-');
  });

  test('graph files, with a state from a file', async () => {
    const args = [
      '--state',
      join(root, 'w.safetensors'),
      '--dims',
      'batch=..4',
      '--name',
      'net',
      '-o',
      join(root, 'graphs'),
    ];
    expect((await sinter('compile', join(root, 'scores.graph'), ...args)).code).toBe(0);
    const net = join(root, 'graphs', 'net.sinter');
    const { out } = await sinter('run', net, '--input', 'x=[[1,0],[0,1]]', '--json');
    const { y } = JSON.parse(out) as { y: { shape: number[]; data: number[] } };
    expect(y.shape).toEqual([2, 3]);
    [1 / 8, 2 / 8, 5 / 8, 1 / 3, 1 / 3, 1 / 3].forEach((x, i) => expect(y.data[i]).toBeCloseTo(x, 5));
    const five = await sinter('run', net, '--input', 'x=[[1,0],[1,0],[1,0],[1,0],[1,0]]');
    expect(five).toMatchObject({ code: 1, out: '' });
    expect(five.err).toContain("'batch' is 5, but it was built for 1 to 4");
  });
});

describe('run', () => {
  test('prints labels with probabilities for texts', async () => {
    const { code, out, err } = await sinter('run', file, '--text', texts[0]!, '--text', texts[1]!);
    expect(code).toBe(0);
    expect(out).toMatch(/^Free lunch now!\n {2}spam {2}0\.\d{4}\n {2}ham {3}0\.\d{4}\nmeeting with the team\n/);
    expect(err).toMatch(/^loaded in .*, ran in /);
  });

  test('as JSON, the numbers are those of the model', async () => {
    const { out } = await sinter('run', file, '--text', texts[0]!, '--json', '--threads', '1');
    const [{ text, scores }] = JSON.parse(out) as [{ text: string; scores: { label: string; score: number }[] }];
    expect(text).toBe(texts[0]);
    const [ham, spam] = (await wanted()) as [number, number];
    const probability = 1 / (1 + Math.exp(ham - spam));
    expect(scores.find(({ label }) => label === 'spam')!.score).toBeCloseTo(probability, 5);
  });

  test('another entry point, with inputs beside the texts', async () => {
    const { out, err } = await sinter('run', file, '--entry', 'evaluate', '--text', texts[0]!, '--input', 'labels=[1]');
    expect(err).not.toContain('sinter:');
    expect(out).toMatch(/Free lunch now!\n {2}spam/);
    const numbers = await sinter(
      'run',
      file,
      '--entry',
      'evaluate',
      '--input',
      'input_ids=[[2,5,3]]',
      '--input',
      'attention_mask=[[1,1,1]]',
      '--input',
      'token_type_ids=[[0,0,0]]',
      '--input',
      'labels=[1]',
    );
    expect(numbers.out).toMatch(/loss: f32\[\]\n {2}\d\.\d+\nlogits: f32\[1, 2\]\n/);
  });

  test('from a server', async () => {
    const server = createServer((_, response) => void readFile(file).then((bytes) => response.end(bytes)));
    await new Promise<void>((ready) => server.listen(0, ready));
    const { port } = server.address() as { port: number };
    const { code, out } = await sinter('run', `http://localhost:${port}/bert.sinter`, '--text', texts[0]!);
    server.close();
    expect(code).toBe(0);
    expect(out).toContain('spam');
  });
});

describe('inspect', () => {
  test('tells entry points, memory, state, kernels and parts', async () => {
    const { code, out } = await sinter('inspect', file, '--dims', 'batch=8,seq=16');
    expect(code).toBe(0);
    expect(out).toMatch(/^bert, for cpu: .*bert\.sinter, [\d.]+ KiB\n/);
    expect(out).toContain('Entry point train_step, batch=1..32, seq=1..64');
    expect(out).toMatch(/in +learning_rate +f32\[\]/);
    expect(out).toMatch(/[\d.]+ KiB with batch=8, seq=16, at least .*·batch·seq.* bytes/);
    expect(out).toMatch(/[\d.]+ MiB with batch=32, seq=64/);
    expect(out).toMatch(/word_embeddings\.weight +f32\[18, 32\] +f32 weights\n/);
    expect(out).toMatch(/124 tensors, .* on the device/);
    expect(out).toMatch(/contract_add +\d+ +.*contract, add → f32\[batch, seq, 32\].*query\.bias/);
    expect(out).toMatch(/[\d,]+ {2}weights\n/);
    expect(out).toMatch(/self-check of train_step/);
  });

  test('as JSON: the manifest, and that memory grows with the sizes', async () => {
    const inspect = async (dims: string) =>
      JSON.parse((await sinter('inspect', file, '--json', '--dims', dims)).out) as {
        readonly manifest: Manifest;
        readonly bytes: number;
        readonly memory: Record<string, { readonly at: readonly { readonly bytes: number }[] }>;
      };
    const [small, large] = [await inspect('batch=1,seq=8'), await inspect('batch=16,seq=8')];
    expect(small.bytes).toBe((await stat(file)).size);
    expect(small.manifest).toEqual((await openBundle(openSource(file))).manifest);
    expect(small.manifest.source).toMatchObject({
      model: 'bert',
      task: 'text-classification',
      train_step: { weight_decay: 0.01 },
    });
    const bytes = (of: typeof small) => of.memory['forward']!.at[0]!.bytes;
    expect(bytes(large) / bytes(small)).toBeGreaterThan(4);
  });
});

describe('verify', () => {
  test('is content with what was written', async () => {
    const { code, out } = await sinter('verify', file);
    expect(code).toBe(0);
    expect(out).toMatch(/bert\.sinter: every byte is what was written \(\d+ parts, [\d.]+ KiB\)\n/);
  });

  test.each([
    ['a flipped byte', (bytes: Uint8Array) => void (bytes[bytes.length >> 1]! ^= 1), 'is damaged'],
    [
      'a flipped byte in the manifest',
      (bytes: Uint8Array) => void (bytes[200]! ^= 1),
      'from position 64 on are not what was written',
    ],
    ['another kind of file', (bytes: Uint8Array) => void bytes.set([0x50, 0x4b]), 'this is no .sinter file'],
  ])('refuses %s', async (_, change, message) => {
    const bytes = new Uint8Array(await readFile(file));
    change(bytes);
    const broken = join(root, 'broken.sinter');
    await writeFile(broken, bytes);
    const { code, out, err } = await sinter('verify', broken);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain(message);
    expect(err).not.toContain('    at ');
  });

  test('refuses what ends too early', async () => {
    const short = join(root, 'short.sinter');
    const { size } = await stat(file);
    for (const bytes of [size - 1000, 100]) {
      await writeFile(short, await readFile(file));
      await truncate(short, bytes);
      const { code, err } = await sinter('verify', short);
      expect(code).toBe(1);
      expect(err).toContain(`short.sinter ends after ${bytes} bytes, before all of it is there`);
    }
  });
});

test('devices lists the CPU', async () => {
  const { code, out } = await sinter('devices');
  expect(code).toBe(0);
  expect(out).toMatch(/^cpu +.+: \d+ threads?, SIMD, (no )?relaxed SIMD/);
  const { cpu: described } = JSON.parse((await sinter('devices', '--json')).out) as {
    cpu: { threads: number; simd: boolean };
  };
  expect(described).toMatchObject({ simd: true });
  expect(described.threads).toBeGreaterThan(0);
});

describe('help', () => {
  test.each(['compile', 'run', 'inspect', 'verify', 'devices'])('%s --help has examples', async (verb) => {
    const { code, out } = await sinter(verb, '--help');
    expect(code).toBe(0);
    expect(out).toMatch(new RegExp(`Usage: sinter ${verb} [^]*Examples?:\n {2}\\$ sinter ${verb}`));
  });

  test('the version is that of the package; without a verb there is help', async () => {
    const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    expect((await sinter('--version')).out).toBe(`${version}\n`);
    const { code, err } = await sinter();
    expect(code).toBe(2);
    expect(err).toContain('Usage: sinter');
  });
});

/** Arguments, the exit code, and what is said. `BERT`, `FILE`, `GRAPH` and `OUT` stand for paths. */
const refusals: readonly (readonly [args: string, code: number, message: string])[] = [
  ['compil BERT', 2, "unknown command 'compil'"],
  ['compile', 2, "missing required argument 'model'"],
  ['compile BERT --frobnicate', 2, "unknown option '--frobnicate'"],
  ['compile BERT --dims batch=0', 2, "--dims: 'batch=0': a size is from 1"],
  ['compile BERT --dims width=3', 2, "--dims: there is no run-time size 'width'; there are: batch, seq"],
  ['compile BERT --dims seq=1..512', 2, "--dims: 'seq=1..512': bert takes at most seq=64"],
  ['compile BERT --entry forwards', 2, "--entry: 'forwards' is none of forward, evaluate, train_step"],
  ['compile BERT --task summarization', 2, "--task: 'summarization' is none of text-classification"],
  ['compile BERT --task feature-extraction --entry train_step', 2, "has no loss, so there is no 'train_step'"],
  ['compile BERT --target gpu', 2, "--target: 'gpu' is none of cpu, cpu-native, webgpu"],
  ['compile BERT --weights f8', 2, "--weights: 'f8' is none of f32, f16"],
  ['compile BERT --adam_beta1 1.5', 2, '--adam_beta1 must be a number from 0 to below 1; got 1.5'],
  ['compile BERT --weight_decay much', 2, "--weight_decay is 'much'; it must be a number"],
  ['compile BERT --state x.safetensors', 2, '--state: a model has its weights'],
  ['compile BERT --name ../x', 2, "--name: '../x' is no name of a file"],
  ['compile BERT GRAPH', 2, 'give graph files, or one model'],
  ['compile GRAPH --task text-classification', 2, '--task: graph files have none'],
  ['compile GRAPH --entry state --standalone', 2, "an entry point cannot be called 'state'"],
  ['compile /none/at/all', 1, 'there is no such folder'],
  ['run /none.sinter', 1, '/none.sinter: there is no such file'],
  ['run FILE', 2, 'missing input_ids (i32[batch, seq])'],
  ['run FILE --entry backward', 2, "has no entry point 'backward'; it has forward, evaluate, train_step"],
  ['run FILE --input input_ids', 2, 'write name=[[1, 2]] or name=@file.json'],
  ['run FILE --text x --input ids=[1]', 2, "there is no input 'ids'"],
  ['run FILE --text x --entry evaluate', 2, 'missing labels (i32[batch])'],
  ['run FILE --text x --threads 0', 2, "--threads is '0'"],
  ['inspect FILE --dims batch=1..4', 2, 'here a size is one number'],
  ['inspect FILE --dims batch=4', 2, "'forward' needs seq too"],
  ['inspect FILE --dims batch=64,seq=8', 1, "'batch' is 64, but it was built for 1 to 32"],
  ['inspect GRAPH', 1, 'this is no .sinter file'],
  ['verify', 2, "missing required argument 'file'"],
];

test.each(refusals)('sinter %s', async (args, code, message) => {
  const paths: Record<string, string> = { BERT: bert.folder, FILE: file, GRAPH: join(root, 'scores.graph') };
  const ended = await sinter(...args.split(' ').map((arg) => paths[arg] ?? arg));
  expect(ended.err).toContain(message);
  expect(ended.err).toMatch(/^sinter: /);
  expect(ended.err).not.toContain('    at ');
  expect({ code: ended.code, out: ended.out }).toEqual({ code, out: '' });
});

test('--verbose shows where an error arose', async () => {
  const { code, err } = await sinter('verify', '/none.sinter', '--verbose');
  expect(code).toBe(1);
  expect(err).toMatch(/there is no such file\n[^]*ArtifactError[^]* {4}at /);
});
