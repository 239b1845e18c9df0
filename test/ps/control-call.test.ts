import assert from 'node:assert/strict';
import { test } from 'node:test';
import { selectBackend } from '../../src/kernels/index.js';
import { serveControl } from '../../src/ps-rpc/stream/control-call.js';
import type { MessageDuplex } from '../../src/ps-rpc/stream/duplex.js';
import { FrameKind, FrameWriter } from '../../src/ps-rpc/stream/frame.js';
import { decodeControlPiece, encodeControlPiece, encodeHello, PROTOCOL_VERSION } from '../../src/ps-rpc/stream/messages.js';
import { ShardJob } from '../../src/ps-rpc/stream/shard-job.js';
import { ShardRuntime } from '../../src/ps-rpc/stream/shard-runtime.js';
import { ShardStreamServer } from '../../src/ps-rpc/stream/stream-server.js';
import { scriptSpec } from '../helpers/scripted-job.js';

function fakeDuplex(): MessageDuplex & { readonly sent: Uint8Array[] } {
  const sent: Uint8Array[] = [];
  return {
    peer: 'test',
    onMessage: () => {},
    onEnd: () => {},
    send: (message) => void sent.push(Uint8Array.from(message)),
    close: () => {},
    sent,
  };
}

test('a call is carried out once, whatever comes behind its last piece', async () => {
  const duplex = fakeDuplex();
  let calls = 0;
  serveControl(duplex, async () => {
    calls++;
    return { json: {}, parts: [] };
  });
  const piece = (json: string): Uint8Array => encodeControlPiece({ json, data: new Uint8Array(0), last: true, failure: null });
  duplex.onMessage?.(piece('{"kind":"sizes","bytes":0}'));
  for (let i = 0; i < 5; i++) duplex.onMessage?.(piece(''));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(calls, 1);
  assert.equal(decodeControlPiece(duplex.sent[0]).failure?.error.code, 'RecordCorrupt');
});

test('a stream that began and ended while a shard made a snapshot leads no job', async () => {
  const server = new ShardStreamServer(0);
  const job = new ShardJob('job', new ShardRuntime(scriptSpec({ numShards: 1 }), 0, selectBackend('auto').backend), null);
  server.setJob(job);
  const duplex = fakeDuplex();
  server.accept(duplex);
  const messages: Uint8Array[] = [];
  const writer = new FrameWriter((message) => void messages.push(Uint8Array.from(message)));
  writer.begin(FrameKind.hello, 0, 0, 0, 64);
  const hello = { protocol: PROTOCOL_VERSION, job: 'job', worker: 0, shard: 0, firstSequence: 1, appliedSequence: 0, answeredSequence: 0 };
  writer.field('hello', encodeHello(hello));
  writer.end();
  await server.hold(async () => {
    for (const message of messages) duplex.onMessage?.(message);
    duplex.onEnd?.(null);
  });
  assert.equal(job.isLed, false);
  const living = fakeDuplex();
  server.accept(living);
  for (const message of messages) living.onMessage?.(message);
  assert.equal(job.isLed, true);
  server.setJob(null);
});
