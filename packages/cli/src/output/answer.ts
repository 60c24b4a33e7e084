/** What a program answered, for people: labels with probabilities where the model is a classifier, else the numbers. */
import type { TensorInfo } from '@sinter/compiler/artifact';
import type { TensorData } from '@sinter/ir';
import { decoder, showShape } from '@sinter/ir';
import type { ModelConfig } from '@sinter/models';

type TensorInfos = Readonly<Record<string, TensorInfo>>;

/** A label and how likely it is; for regression, the value. */
export interface Score {
  readonly label: string;
  readonly score: number;
}

/** What `config.json` says of a classifier. */
export type LabelNames = Pick<ModelConfig, 'id2label' | 'problem_type'>;

/**
 * The labels of each row of logits, the likeliest first: probabilities of one choice (softmax), of each label by itself (several at
 * once), or plain values (regression).
 */
export function scores({ data, shape }: TensorData, { id2label, problem_type }: LabelNames): Score[][] {
  const [rows, width] = shape as [number, number];
  return Array.from({ length: rows }, (_, row) => {
    const logits = Array.from(data.slice(row * width, (row + 1) * width));
    const values = problem_type === 'regression' || width === 1 ? logits : probabilities(logits, problem_type);
    const named = values.map((score, i) => ({ label: id2label[i] ?? `LABEL_${i}`, score }));
    return named.sort((a, b) => b.score - a.score);
  });
}

function probabilities(logits: readonly number[], problem: LabelNames['problem_type']): number[] {
  if (problem === 'multi_label_classification') return logits.map((x) => 1 / (1 + Math.exp(-x)));
  const most = Math.max(...logits);
  const exps = logits.map((x) => Math.exp(x - most));
  const sum = exps.reduce((a, b) => a + b, 0);
  return exps.map((x) => x / sum);
}

/** Outputs as JSON values: shape and numbers; 16-bit floats as the numbers they stand for. */
export function jsonOutputs(outputs: Readonly<Record<string, TensorData>>, ports: TensorInfos): Record<string, object> {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, { data, shape }]) => [
      name,
      { dtype: ports[name]!.dtype, shape, data: Array.from(data, decoder(ports[name]!.dtype)) },
    ]),
  );
}

/** One line for each output: its type, and its first numbers. */
export function showOutputs(outputs: Readonly<Record<string, TensorData>>, ports: TensorInfos): string {
  return Object.entries(outputs)
    .map(([name, { data, shape }]) => {
      const { dtype } = ports[name]!;
      const shown = Array.from(data.slice(0, firstNumbers), decoder(dtype)).map((x) =>
        String(Number(x.toPrecision(6))),
      );
      const more = data.length > firstNumbers ? `, … ${data.length - firstNumbers} more (all with --json)` : '';
      return `${name}: ${dtype}${showShape(shape)}\n  ${shown.join(', ')}${more}`;
    })
    .join('\n');
}

const firstNumbers = 8;

/** Each text with its labels. */
export function showScores(texts: readonly string[], labels: readonly (readonly Score[])[]): string {
  return texts
    .map((text, i) => {
      const width = Math.max(...labels[i]!.map(({ label }) => label.length));
      return `${text}\n${labels[i]!.map(({ label, score }) => `  ${label.padEnd(width)}  ${score.toFixed(4)}\n`).join('')}`;
    })
    .join('');
}
