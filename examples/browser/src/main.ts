/** The page: loads the model, classifies what is typed, and lets the reader teach it. */
import type { LoadProgress } from '@sinter/compiler/artifact';
import type { Classifier } from './classifier.ts';
import { createClassifier } from './classifier.ts';
import { lossChart } from './loss-chart.ts';
import type { Labelled } from './mails.ts';
import { mails, samples } from './mails.ts';
import type { OpenModel } from './open-model.ts';
import { openModel } from './open-model.ts';
import './style.css';
import { train } from './train.ts';

/** The element with an id, of the kind that the page has it. */
function at<E extends HTMLElement = HTMLElement>(id: string): E {
  return document.getElementById(id) as E;
}

const text = at<HTMLTextAreaElement>('text');
const buttons = ['is-mail', 'is-spam', 'train', 'forget'].map((id) => at<HTMLButtonElement>(id));
const examples: Labelled[] = [...mails];
const chart = lossChart(at('chart'));

// ---- loading

/** Where each stage lies on the bar, and what is said. */
const stages = {
  read: { from: 0, to: 0.1, says: ({ done, total }) => `Reading code: ${megabytes(done)} of ${megabytes(total)}` },
  compile: { from: 0.1, to: 0.3, says: ({ done, total }) => `Compiling kernels: ${done} of ${total}` },
  weights: {
    from: 0.3,
    to: 0.95,
    says: ({ done, total }) => `Loading weights: ${megabytes(done)} of ${megabytes(total)}`,
  },
  check: { from: 0.95, to: 1, says: ({ done, total }) => `Checking what this device computes: ${done} of ${total}` },
} as const satisfies Record<LoadProgress['stage'], { from: number; to: number; says: (p: LoadProgress) => string }>;

function showProgress(progress: LoadProgress): void {
  const { from, to, says } = stages[progress.stage];
  const bar = at<HTMLProgressElement>('progress');
  bar.value = Math.max(bar.value, from + ((to - from) * progress.done) / Math.max(progress.total, 1));
  at('stage').textContent = says(progress);
}

async function start(): Promise<void> {
  const opened = await openModel(({ backend, name }) => {
    at('device').textContent = `${backend} · ${name}`;
    at('device').dataset['backend'] = backend;
  }, showProgress);
  const classifier = await createClassifier(opened.loaded);
  showFacts(opened, await classifier.kernels());
  at('loading').hidden = true;
  use(classifier, opened.device.backend);
}

function showFacts(
  { device, loaded, bytes, ms, withoutWebGPU }: OpenModel,
  kernels: Readonly<Record<string, number>>,
): void {
  const { manifest, programs } = loaded;
  const { state, arena } = programs['forward']!.memory({ batch: 1, seq: 64 });
  const facts: [term: string, value: string, more?: string][] = [
    ['Device', device.backend, device.name],
    ['Model', String(manifest.source?.['model'] ?? manifest.name), 'compiled ahead of time; no compiler here'],
    ...Object.entries(kernels).map(([name, count]): [string, string, string] => [name, `${count} kernels`, 'a run']),
    ['Loaded', megabytes(bytes), `in ${(ms / 1000).toFixed(1)} s, hashes and answers checked`],
    ['Memory', megabytes(state + arena), 'weights, and one text of 64 tokens'],
  ];
  at('without').textContent = withoutWebGPU === undefined ? '' : `Not on WebGPU: ${withoutWebGPU}`;
  at('facts').replaceChildren(
    ...facts.map(([term, value, more]) => {
      const fact = element('div');
      const given = element('dd', value);
      if (more !== undefined) given.append(element('small', more));
      fact.append(element('dt', term), given);
      return fact;
    }),
  );
}

// ---- use

function use(classifier: Classifier, backend: string): void {
  const classify = latestOnly(async () => {
    const given = text.value.trim();
    if (given === '') return showVerdict('none', []);
    const { probabilities, tokens, ms } = await classifier.classify(given);
    const best = probabilities.indexOf(Math.max(...probabilities));
    showVerdict(classifier.classes[best]!, probabilities);
    at('run').textContent = `${tokens} tokens in ${ms.toFixed(1)} ms on ${backend === 'CPU' ? 'the CPU' : backend}`;
  });
  text.addEventListener('input', classify);
  at('samples').replaceChildren(
    ...samples.map((sample) => {
      const button = element('button', sample);
      button.type = 'button';
      button.addEventListener('click', () => {
        text.value = sample;
        classify();
      });
      return button;
    }),
  );
  for (const [label, name] of classifier.classes.entries()) {
    at(`is-${name}`).addEventListener('click', () => {
      const given = text.value.trim();
      if (given === '') return text.focus();
      examples.unshift({ text: given, label });
      showExamples(classifier);
    });
  }
  at('train').addEventListener('click', () => void teach(classifier, classify));
  at('forget').addEventListener('click', () => {
    void classifier.forget().then(() => {
      chart.clear();
      at('training').textContent = 'As it was loaded.';
      classify();
    });
  });
  showExamples(classifier);
  enable(true);
  text.disabled = false;
}

function showVerdict(name: string, probabilities: readonly number[]): void {
  const percents = probabilities.map((p) => `${(100 * p).toFixed(1)} %`);
  const best = probabilities.indexOf(Math.max(...probabilities));
  at('verdict').dataset['class'] = name;
  at('answer').textContent = best < 0 ? '—' : name === 'spam' ? 'Spam' : 'Mail';
  at('percent').textContent = percents[best] ?? '';
  at('share').style.width = best < 0 ? '0' : `${100 * probabilities[best]!}%`;
  at('mail').textContent = percents[0] ?? '–';
  at('spam').textContent = percents[1] ?? '–';
}

function showExamples(classifier: Classifier): void {
  const counts = classifier.classes.map((name, k) => `${examples.filter(({ label }) => label === k).length} ${name}`);
  at('counts').textContent = counts.join(', ');
  at('examples').replaceChildren(
    ...examples.map((example, i) => {
      const item = element('li');
      const name = classifier.classes[example.label]!;
      const label = element('button', name);
      label.type = 'button';
      label.dataset['class'] = name;
      label.ariaLabel = `${name}; change the label of: ${example.text}`;
      label.addEventListener('click', () => {
        examples[i] = { ...example, label: (example.label + 1) % classifier.classes.length };
        showExamples(classifier);
      });
      const words = element('span', example.text);
      words.title = example.text;
      item.append(words, label);
      return item;
    }),
  );
}

async function teach(classifier: Classifier, classify: () => void): Promise<void> {
  enable(false);
  chart.clear();
  const says = at('training');
  let total = 0;
  try {
    const reading = (done: number): void => void (says.textContent = `Read ${done} of ${examples.length} mails`);
    reading(0);
    for await (const { step, steps, loss, ms } of train(classifier, [...examples], reading)) {
      total += ms;
      chart.add(loss);
      says.textContent = `Step ${step} of ${steps}, loss ${loss.toFixed(3)}, ${(total / step).toFixed(1)} ms a step`;
      if (step % 20 === 0 || step === steps) classify();
    }
  } catch (error) {
    says.textContent = `Training stopped: ${(error as Error).message}`;
  }
  enable(true);
}

function enable(yes: boolean): void {
  for (const button of buttons) button.disabled = !yes;
}

/** Runs `work` once at a time; of calls that come meanwhile only the last counts. */
function latestOnly(work: () => Promise<void>): () => void {
  let running = false;
  let again = false;
  const go = async (): Promise<void> => {
    running = true;
    at('verdict').ariaBusy = 'true';
    do {
      again = false;
      await work();
    } while (again);
    at('verdict').ariaBusy = 'false';
    running = false;
  };
  return () => {
    again = true;
    if (!running) go().catch(fail);
  };
}

// ---- odds and ends

function element<K extends keyof HTMLElementTagNameMap>(tag: K, content = ''): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  made.textContent = content;
  return made;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function fail(error: unknown): void {
  at('loading').hidden = false;
  at('loading').dataset['failed'] = '';
  at('stage').textContent = (error as Error).message;
  console.error(error);
}

start().catch(fail);
