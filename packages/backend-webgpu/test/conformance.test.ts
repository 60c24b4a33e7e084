/** The whole suite twice: with plans for every device, which is what is built by default, and with plans that know this device. */
import { testBackend } from '@sinter/conformance';
import { describe, test } from 'vitest';
import { requestDevice, webgpu } from '../src/index.ts';

testBackend('webgpu', () => webgpu(), { describe, test, runs: 60 });
testBackend('webgpu on a device of its own', async () => webgpu({ device: await requestDevice() }), {
  describe,
  test,
  runs: 20,
  seed: 2,
});
