/**
 * The whole suite on a device as it is: plans that use what it has, and know if it is a software adapter. Then random
 * graphs once more on plans for every device, which is what artifacts are built for.
 */
import { testBackend } from '@sinter/conformance';
import { describe, test } from 'vitest';
import { requestDevice, webgpu } from '../src/index.ts';

testBackend('webgpu', async () => webgpu({ device: await requestDevice() }), { describe, test, runs: 60 });
