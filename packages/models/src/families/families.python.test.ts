/** Every golden model of every family: Python reads the folder that is saved here, with every parameter and every key of the configuration as they were. */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findPython } from '../../../../tools/python.ts';
import { goldenModels, goldens } from '../goldens.test.kit.ts';

const python = findPython(['torch', 'transformers']);

/** Reads both folders of each model; prints how they differ, as JSON. */
const compare = `
import json, sys, torch, transformers as hf
hf.logging.set_verbosity_error()
theirs, ours, *names = sys.argv[1:]
report = {}
for name in names:
    keys = json.load(open(f'{theirs}/{name}/config.json'))
    make = getattr(hf, keys['architectures'][0])
    a = make.from_pretrained(f'{theirs}/{name}')
    b, found = make.from_pretrained(f'{ours}/{name}', output_loading_info=True)
    weights, other = a.state_dict(), b.state_dict()
    wrong = [k for k in weights if not torch.equal(weights[k], other[k])]
    config = b.config.to_dict()
    keys = [k for k, v in a.config.to_dict().items() if k not in ('_name_or_path', 'transformers_version') and config.get(k) != v]
    report[name] = {'weights': len(weights), 'wrong': wrong, 'keys': keys, **{k: list(v) for k, v in found.items()}}
print(json.dumps(report))
`;

test.runIf(python)('Python reads what is saved', { timeout: 90_000 }, async () => {
  // The model of the paper is no class of Python's library.
  const models = goldenModels().filter(({ model_type }) => model_type !== 'transformer');
  const folder = await mkdtemp(join(tmpdir(), 'families-'));
  try {
    for (const { name, model } of models) {
      const loaded = await model.from_pretrained(join(goldens, name), { strict: true });
      await loaded.save_pretrained(join(folder, name));
    }
    const names = models.map(({ name }) => name);
    const { stdout, stderr } = spawnSync(python!, ['-c', compare, goldens, folder, ...names], { encoding: 'utf8' });
    expect(stdout, stderr).not.toBe('');
    const report = JSON.parse(stdout) as Record<string, { readonly weights: number }>;
    const fine = { wrong: [], keys: [], missing_keys: [], unexpected_keys: [], mismatched_keys: [], error_msgs: [] };
    for (const name of names) expect(report[name], name).toEqual({ ...fine, weights: report[name]!.weights });
    expect(Math.min(...names.map((name) => report[name]!.weights))).toBeGreaterThan(10);
  } finally {
    await rm(folder, { recursive: true });
  }
});
