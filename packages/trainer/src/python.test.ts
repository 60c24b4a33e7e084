/** A BERT that was trained and saved here predicts the same in Python, where `from_pretrained` loads the folder. */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cpu } from '@sinter/backend-cpu';
import { BertForSequenceClassification } from '@sinter/models';
import { expect, test } from 'vitest';
import { findPython } from '../../../tools/python.ts';
import { TrainingArguments } from './arguments.ts';
import { Trainer } from './trainer.ts';

const python = findPython(['transformers', 'torch']);
const tiny = fileURLToPath(new URL('../../models/goldens/tiny-bert', import.meta.url));

test.skipIf(!python)(
  'AutoModelForSequenceClassification loads the saved folder and gives the same logits',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sinter-python-'));
    try {
      const model = await BertForSequenceClassification.from_pretrained(tiny);
      const rows = Array.from({ length: 12 }, (_, i) => ({
        input_ids: Array.from({ length: 4 + (i % 5) }, (_, j) => 1 + ((i * 31 + j * 17) % 90)),
        label: i % 2,
      }));
      const args = new TrainingArguments({
        output_dir: folder,
        max_steps: 5,
        learning_rate: 1e-3,
        save_steps: 5,
        report_to: 'none',
      });
      await using trainer = new Trainer({
        model,
        args,
        train_dataset: rows,
        backend: cpu({ threads: 1 }),
        progress: {},
      });
      await trainer.train();
      await trainer.save_model(join(folder, 'model'));
      const { predictions } = await trainer.predict(rows);

      const script = `
import json, sys, torch
from transformers import AutoModelForSequenceClassification
rows = json.loads(sys.stdin.read())
for folder in sys.argv[1:]:
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        print(json.dumps([model(input_ids=torch.tensor([r])).logits[0].tolist() for r in rows]))`;
      const { stdout, stderr } = spawnSync(
        python!,
        ['-c', script, join(folder, 'model'), join(folder, 'checkpoint-5')],
        { encoding: 'utf8', input: JSON.stringify(rows.map((row) => row.input_ids)) },
      );
      expect(stderr).not.toMatch(/Error|newly initialized/);
      const printed = stdout.trim().split('\n');
      expect(printed.length).toBe(2);
      for (const line of printed) {
        const want = (JSON.parse(line) as number[][]).flat();
        want.forEach((x, i) => expect(Math.abs(x - predictions.data[i]!)).toBeLessThan(1e-5));
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
  120_000,
);
