/**
 * How much sooner a compiled artifact gives its first result than compiling does:
 * `node --conditions=@sinter/source --import tsx test/load-time.ts [layers] [runs]`. Both are programs as users have them: bundled,
 * started in a fresh process, from a folder with `model.safetensors` or a `.sinter` file to the first logits or the first loss.
 * The time is that of the whole process, and so is the processor time, which hardly depends on what else the machine does.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cpu } from '@sinter/backend-cpu';
import { build } from '@sinter/compiler';
import { encodeBundle } from '@sinter/compiler/artifact';
import type { Graph } from '@sinter/ir';
import { BertForSequenceClassification } from '@sinter/models';
import { adamw, schedule, trainStep } from '@sinter/trainer';
import { rolldown } from 'rolldown';

const [layers = 6, runs = 5] = process.argv.slice(2).map(Number);
const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sinter-load-'));
const threads = 2;
const dims = { batch: { max: 32 }, seq: { max: 512 } };

/** What both programs feed, and what they say when they are done. */
const common = `
  const ids = (value) => ({ data: new Int32Array(128).fill(value), shape: [1, 128] });
  const data = { input_ids: ids(7), attention_mask: ids(1), token_type_ids: ids(0), labels: { data: Int32Array.of(1), shape: [1] } };
  const first = async (program) => {
    const out = await program.run(Object.fromEntries(Object.keys(program.inputs).map((name) => [name, data[name]])));
    const { user, system } = process.cpuUsage();
    console.log(performance.now(), (user + system) / 1e3, Object.values(out)[0].data[0]);
    process.exit();
  };`;

const stepText = `trainStep(model, {
    optimizer: () => adamw({ weight_decay: 0.01 }),
    learning_rate: 5e-5,
    schedule: schedule('linear', { warmup: 0, total: 1000 }),
    max_grad_norm: 1,
  })`;
const stepOf = (model: BertForSequenceClassification): Graph =>
  trainStep(model, {
    optimizer: () => adamw({ weight_decay: 0.01 }),
    learning_rate: 5e-5,
    schedule: schedule('linear', { warmup: 0, total: 1000 }),
    max_grad_norm: 1,
  });

/** From a model folder. */
const compiling = (kind: string): string => `
  import { cpu } from '@sinter/backend-cpu';
  import { compile } from '@sinter/compiler';
  import { BertForSequenceClassification } from '@sinter/models';
  ${kind === 'step' ? "import { adamw, schedule, trainStep } from '@sinter/trainer';" : ''}
  ${common}
  const model = await BertForSequenceClassification.from_pretrained(${JSON.stringify(folder)});
  const graph = ${kind === 'step' ? stepText : "model.graph({ outputs: ['logits'] })"};
  const program = await compile(graph, cpu({ threads: ${threads} }), { dims: ${JSON.stringify(dims)} });
  for (const [name, { data }] of model.parameters) if (name in program.state.ports) await program.state.write(name, data);
  await first(program);`;

const loading = (kind: string): string => `
  import { open } from 'node:fs/promises';
  import { fileSource, loadBundle } from '@sinter/compiler/artifact';
  import { cpuRuntime } from '@sinter/backend-cpu/runtime';
  ${common}
  const file = await open(${JSON.stringify(join(folder, `${kind}.sinter`))});
  const { programs } = await loadBundle(fileSource(file), cpuRuntime({ threads: ${threads} }));
  await first(programs.main);`;

/** Bundles a program for Node, with the worker beside it. */
async function program(name: string, text: string): Promise<string> {
  const entry = join(root, 'test', `${name}.js`);
  const out = join(folder, name);
  mkdirSync(out);
  const built = await rolldown({
    input: entry,
    platform: 'node',
    external: ['koffi'],
    resolve: { conditionNames: ['@sinter/source', 'import', 'default'] },
    plugins: [
      { name: 'app', load: (id) => (id === entry ? text : null), resolveId: (id) => (id === entry ? id : null) },
    ],
    logLevel: 'silent',
  });
  await built.write({ dir: out, minify: true, codeSplitting: false, entryFileNames: 'main.mjs' });
  writeFileSync(join(out, 'worker.js'), readFileSync(join(root, 'packages/backend-cpu/src/runtime/worker.js')));
  return join(out, 'main.mjs');
}

/** Milliseconds of wall clock and of processor time of one run, and what it computed. */
function time(path: string): [wall: number, used: number, result: number] {
  const { stdout, stderr, status } = spawnSync(process.execPath, [path], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr.slice(-500));
  return stdout.trim().split(' ').map(Number) as [number, number, number];
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;

try {
  const sizes = {
    hidden_size: 384,
    num_hidden_layers: layers,
    num_attention_heads: 12,
    intermediate_size: 1536,
    vocab_size: 30522,
  };
  const model = BertForSequenceClassification.from_config({
    ...sizes,
    hidden_dropout_prob: 0,
    attention_probs_dropout_prob: 0,
  });
  await model.save_pretrained(folder);
  for (const kind of ['forward', 'step']) {
    const graph = kind === 'step' ? stepOf(model) : model.graph({ outputs: ['logits'] });
    const main = await build(graph, cpu({ threads }), { dims });
    const weights = Object.fromEntries([...model.parameters].filter(([name]) => name in main.state));
    const zeros = Object.keys(main.state).filter((name) => !(name in weights));
    const { files } = await encodeBundle({ name: kind, entries: { main }, weights, zeros });
    const chunks: Uint8Array[] = [];
    for await (const chunk of files[0].read()) chunks.push(chunk);
    writeFileSync(join(folder, files[0].name), Buffer.concat(chunks));

    const [compiler, loader] = [
      await program(`${kind}-compile`, compiling(kind)),
      await program(`${kind}-load`, loading(kind)),
    ];
    // In turn, so that what else the machine does slows both.
    const pairs = Array.from({ length: runs }, () => [time(compiler), time(loader)] as const);
    const [[, , expected], [, , got]] = pairs[0]!;
    if (Math.abs(expected - got) > 1e-5) throw new Error(`the results differ: ${expected} and ${got}`);
    console.log(
      `BERT of ${layers} layers, ${kind}, 1 × 128 tokens; ${(files[0].bytes / 2 ** 20).toFixed(0)} MiB; ${threads} threads`,
    );
    for (const [i, clock] of ['wall clock', 'processor time'].entries()) {
      const [compiled, loaded] = [0, 1].map((side) => median(pairs.map((pair) => pair[side]![i]!)));
      console.log(
        `  ${clock}: compiling ${compiled!.toFixed(0)} ms, loading ${loaded!.toFixed(0)} ms: ${(compiled! / loaded!).toFixed(1)} times as fast`,
      );
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}
