/** The page in which a backend is tested: it declares the suite, and runs a test when it is told to. */
import { cpu } from '@sinter/backend-cpu';
import { webgpu } from '@sinter/backend-webgpu';
import type { Backend } from '@sinter/compiler';
import { testBackend } from '@sinter/conformance';
import type { Remote, RemoteTest } from './remote.ts';

const backends: Readonly<Record<string, () => Backend | Promise<Backend>>> = { cpu, webgpu };

const wanted = new URLSearchParams(location.search);
const [name, runs] = [wanted.get('backend')!, Number(wanted.get('runs'))];
const tests: RemoteTest[] = [];
testBackend(name, backends[name]!, {
  runs,
  describe: (_, body) => body(),
  test: (title, body) => tests.push({ title, body }),
});

const remote: Remote = {
  async run(index, title) {
    const test = tests[index];
    if (test?.title !== title) throw new Error(`test ${index} of the page is '${test?.title}', not '${title}'`);
    await test.body();
  },
};
Object.assign(globalThis, { remote });
