/**
 * Looks inside of a classifier of mails, such as examples/spam leaves in runs/spam/model: why does it call a mail spam, and where inside of it is that decided?
 *
 *   npm run example:look-inside -- [--model runs/spam/model] [--text 'a mail'] [--other 'another mail'] [--html explanation.html]
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { cpu } from '@sinter/backend-cpu';
import { AutoModelForSequenceClassification, AutoTokenizer, explainPrediction, explanationHtml } from '@sinter/models';

const { values: args } = parseArgs({
  options: {
    model: { type: 'string', default: 'runs/spam/model' },
    text: { type: 'string', default: 'Dear friend, you have won a free prize. Click here now to claim your money!' },
    other: { type: 'string', default: 'Hi Anna, here are the notes of our meeting. See you on Tuesday at the office.' },
    html: { type: 'string', default: 'runs/look-inside/explanation.html' },
  },
});
const backend = cpu({ target: 'auto' });
const tokenizer = await AutoTokenizer.from_pretrained(args.model);
const model = await AutoModelForSequenceClassification.from_pretrained(args.model);

// 1. Which words speak for the answer, and which against it?
const explanation = await explainPrediction(model, tokenizer, args.text, { backend });
const { target, value, baseline, convergence_delta } = explanation;
console.log(`${target.label}: logit ${value.toFixed(2)}, ${baseline!.toFixed(2)} without the words`);
for (const { token, score } of [...explanation.tokens]
  .sort((a, b) => Math.abs(b.score) - Math.abs(a.score))
  .slice(0, 8))
  console.log(`  ${score.toFixed(3).padStart(7)}  ${token}`);
console.log(`  (together they miss the difference by ${Math.abs(convergence_delta!).toExponential(1)})`);
await mkdir(dirname(args.html), { recursive: true });
await writeFile(args.html, explanationHtml(explanation));
console.log(`${args.html} shows all of them\n`);

// 2. Where is it decided? The state of the first token, from which the answer is made, is taken out of one run and put into that of another mail, layer by
// layer: from which layer on does the other mail get this one's answer? (Activation patching.)
const encode = (text: string) => tokenizer([text], { return_tensors: 'i32', truncation: true });
const hidden = model.values().filter(({ name }) => /\.layer\.\d+\.hidden$/.test(name));
const source = await model.trace(encode(args.text), { outputs: hidden.map(({ name }) => name), backend });
const score = (logits: ArrayLike<number>): number => logits[target.index]!;
const plain = score((await model.trace(encode(args.other), { backend })).outputs['logits']!.data);
console.log(
  `"${args.other.slice(0, 40)}…" has ${plain.toFixed(2)} for ${target.label}; with the first token's state of the other mail after`,
);
for (const { name } of hidden) {
  const own = (await model.trace(encode(args.other), { outputs: [name], backend })).values[name]!;
  const data = Float32Array.from(own.data);
  data.set((source.values[name]!.data as Float32Array).subarray(0, own.shape[2]));
  const { outputs } = await model.trace(encode(args.other), { replace: { [name]: { ...own, data } }, backend });
  console.log(`  ${name}: ${score(outputs['logits']!.data).toFixed(2)}`);
}
await model.free();
