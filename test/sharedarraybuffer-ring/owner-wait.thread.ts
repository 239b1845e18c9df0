import { workerData } from 'node:worker_threads';
import { AbortWord, Ownership } from '../../src/sharedarraybuffer-ring/index.js';
import { reportResult } from './report.js';

const { buffer, timeoutMs }: { buffer: SharedArrayBuffer; timeoutMs: number } = workerData;

reportResult(() => {
  new Ownership(buffer, 64, new AbortWord(buffer, 0)).take(1, timeoutMs);
  return [];
});
