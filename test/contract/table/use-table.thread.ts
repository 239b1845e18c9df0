// A short-lived thread that loads the addon, makes a table or takes a shared one, uses it and leaves everything behind.
import assert from 'node:assert/strict';
import { parentPort, workerData } from 'node:worker_threads';
import { loadAddon } from '../../../src/kernels/native/load.js';
import { createNativeSparse } from '../../../src/kernels/native/native-sparse.js';
import { options, slice } from './backends.js';

const { addon } = loadAddon();
assert.ok(addon);
const { createTable, attachTable } = createNativeSparse(addon);
const { shareId } = workerData as { shareId?: number };
const table = shareId === undefined ? createTable(options([slice(16)], { segmentRows: 4096 })) : attachTable(shareId);
const count = 5000;
const fids = BigInt64Array.from({ length: count }, (_, i) => BigInt(i) << 20n);
const rows = new Float32Array(count * 16);
const handles = new Int32Array(count);
const created = table.lookup(fids, 0, count, true, 1, rows, handles);
const updated = table.apply([handles], Int32Array.of(0), Int32Array.of(count), [rows], Float32Array.of(0.1), 0);
table.lookup(fids, 0, count, false, 1, rows, handles);
parentPort?.postMessage({ created, updated, sum: rows.reduce((sum, value) => sum + value, 0), number: workerData });
