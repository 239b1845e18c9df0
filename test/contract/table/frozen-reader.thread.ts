// Reads the frozen rows of tables that another thread trains meanwhile, and sends back what it read.
import assert from 'node:assert/strict';
import { parentPort, workerData } from 'node:worker_threads';
import { loadAddon } from '../../../src/kernels/native/load.js';
import { createNativeCheckpoint } from '../../../src/kernels/native/native-checkpoint.js';
import { readBucket } from './suite-frozen.js';

const { addon } = loadAddon();
assert.ok(addon);
const { ids, bucketBits } = workerData as { ids: number[]; bucketBits: number };
const rows = createNativeCheckpoint(addon).openFrozen(ids);
parentPort?.postMessage('open');
const read = Array.from({ length: 2 ** bucketBits }, (_, bucket) => readBucket(rows, bucketBits, bucket));
const figures = rows.figures();
rows.release();
parentPort?.postMessage({ read, figures });
