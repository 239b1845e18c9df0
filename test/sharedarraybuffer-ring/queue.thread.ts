import { workerData } from 'node:worker_threads';
import { AbortWord, Counter, type DescriptorQueue, MpscRing, Ring } from '../../src/sharedarraybuffer-ring/index.js';
import { reportResult } from './report.js';

/** One side of a queue: the memory is [abort word 64 B][signal 64 B][queue]. */
export type QueueRole = {
  readonly kind: 'ring' | 'mpsc';
  readonly buffer: SharedArrayBuffer;
  readonly slots: number;
  readonly words: number;
  readonly timeoutMs: number;
  readonly role: 'produce' | 'consume' | 'produce-then-exit' | 'produce-then-throw' | 'ask' | 'reply';
  readonly producer: number;
  readonly producers: number;
  readonly messages: number;
  readonly close: boolean;
  /** Looks before sleeping; 0 makes every wait a sleep. */
  readonly spins?: number;
};

export const QUEUE_OFFSET = 128;

const data: QueueRole = workerData;
const abort = new AbortWord(data.buffer, 0);
const signal = new Counter(data.buffer, 64, abort);
const Queue = data.kind === 'ring' ? Ring : MpscRing;
const queue: DescriptorQueue = new Queue(data.buffer, QUEUE_OFFSET, data.slots, data.words, abort, {
  name: 'test',
  ...(data.spins === undefined ? {} : { spins: data.spins }),
});

function produce(): readonly number[] {
  const words = new Int32Array(data.words);
  let checksum = 0;
  for (let i = 0; i < data.messages; i++) {
    words[0] = data.producer;
    words[1] = i;
    for (let w = 2; w < data.words; w++) words[w] = Math.imul(i + w, 0x9e3779b1);
    checksum = (checksum + Math.imul(words[data.words - 1] ^ i, data.producer + 1)) | 0;
    queue.push(words, data.timeoutMs);
  }
  if (data.close) queue.close();
  return [data.messages, checksum];
}

/** Checks order per producer and content, until the queue ends; [received, sum of checksums]. */
function consume(): readonly number[] {
  const words = new Int32Array(data.words);
  const next = new Int32Array(data.producers);
  let received = 0;
  let checksum = 0;
  while (queue.pop(words, data.timeoutMs)) {
    const producer = words[0];
    const i = words[1];
    if (i !== next[producer]) throw new Error(`producer ${producer}: got message ${i}, expected ${next[producer]}`);
    for (let w = 2; w < data.words; w++) {
      if (words[w] !== Math.imul(i + w, 0x9e3779b1)) throw new Error(`torn descriptor ${i} of producer ${producer}, word ${w}`);
    }
    next[producer]++;
    received++;
    checksum = (checksum + Math.imul(words[data.words - 1] ^ i, producer + 1)) | 0;
  }
  return [received, checksum];
}

function reply(): readonly number[] {
  const offset = QUEUE_OFFSET + Queue.byteLength(data.slots, data.words);
  const answers = new Queue(data.buffer, offset, data.slots, data.words, abort, { name: 'answers', spins: data.spins ?? 0 });
  const words = new Int32Array(data.words);
  let answered = 0;
  while (queue.pop(words, data.timeoutMs)) {
    words[0] = ~words[0];
    answers.push(words, data.timeoutMs);
    answered++;
  }
  answers.close();
  return [answered];
}

/** Sends numbers and waits for each answer. */
function ask(): readonly number[] {
  const offset = QUEUE_OFFSET + Queue.byteLength(data.slots, data.words);
  const answers = new Queue(data.buffer, offset, data.slots, data.words, abort, { name: 'answers', spins: data.spins ?? 0 });
  const words = new Int32Array(data.words);
  for (let i = 0; i < data.messages; i++) {
    words[0] = i;
    queue.push(words, data.timeoutMs);
    if (!answers.pop(words, data.timeoutMs)) throw new Error('answers ended early');
    if (words[0] !== ~i) throw new Error(`asked ${i}, answer ${words[0]}`);
  }
  queue.close();
  return [data.messages];
}

reportResult(() => {
  signal.add(1);
  switch (data.role) {
    case 'consume':
      return consume();
    case 'produce':
      return produce();
    case 'produce-then-exit':
      produce();
      return process.exit(3);
    case 'produce-then-throw':
      produce();
      queueMicrotask(() => {
        throw new Error('this producer dies');
      });
      return [];
    case 'ask':
      return ask();
    case 'reply': // every descriptor is answered on a second queue behind the first, before the next is taken
      return reply();
    default:
      return data.role satisfies never;
  }
});
