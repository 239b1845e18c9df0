import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type protobuf from 'protobufjs';
import { fidV1ToV2, MonolithError, SeededRandom, slotOf, slotOfV1 } from '../../src/base/index.js';
import { decodeMessage, encodeMessage, type MonolithMessage, type MonolithMessageName } from '../../src/data/index.js';
import { loadProtos } from '../../src/proto/index.js';
import { sharedData } from './helpers.js';

const root = loadProtos(['monolith_instance.proto', 'monolith_example.proto']);
const names: MonolithMessageName[] = ['Instance', 'Example', 'ExampleBatch', 'ExampleBatchRowMajor'];
const typeOf = (name: string): protobuf.Type =>
  root.lookupType(`${name === 'Instance' ? 'idl.matrix.proto' : 'monolith.io.proto'}.${name}`);

/** A message with random fields, as protobufjs takes it. */
function randomMessage(type: protobuf.Type, random: SeededRandom, depth: number): Record<string, unknown> {
  const value: Record<string, unknown> = {};
  let kind = type.oneofsArray.length > 0 ? random.nextBelow(type.fieldsArray.length) : -1;
  for (const field of type.fieldsArray) {
    if (type.oneofsArray.length > 0 ? kind-- !== 0 : random.nextBelow(3) === 0) continue;
    field.resolve();
    const one = (): unknown => {
      if (field.resolvedType !== null && 'fieldsArray' in field.resolvedType) return randomMessage(field.resolvedType, random, depth + 1);
      if (field.type === 'bytes') return Buffer.from([random.nextBelow(256), 200]);
      if (field.type === 'string') return `ä${random.nextBelow(1000)}`;
      if (field.type === 'bool') return random.nextBelow(2) === 1;
      if (field.type === 'float' || field.type === 'double') return Math.fround(random.nextNormal());
      if (field.type === 'fixed64') return (2n ** 64n - 1n - BigInt(random.nextBelow(1000))).toString();
      if (field.type === 'int64') return (-(2n ** 62n) - BigInt(random.nextBelow(1000))).toString();
      return field.type === 'int32' ? random.nextBelow(2000) - 1000 : random.nextBelow(2);
    };
    value[field.name] = field.repeated ? Array.from({ length: 1 + random.nextBelow(3) }, one) : one();
  }
  return value;
}

for (const name of names) {
  test(`${name}: what protobufjs writes is read and written again byte for byte`, () => {
    const random = new SeededRandom(4);
    const type = typeOf(name);
    for (let i = 0; i < 30; i++) {
      const bytes = type.encode(type.fromObject(randomMessage(type, random, 0))).finish();
      assert.deepEqual(encodeMessage(name, decodeMessage(name, bytes)), Buffer.from(bytes));
    }
  });

  test(`${name}: bytes cut or flipped give a message or RecordCorrupt`, () => {
    const random = new SeededRandom(5);
    const type = typeOf(name);
    const bytes = Buffer.from(type.encode(type.fromObject(randomMessage(type, random, 0))).finish()).subarray(0, 400);
    const tryDecode = (damaged: Uint8Array): void => {
      try {
        encodeMessage(name, decodeMessage(name, damaged));
      } catch (error) {
        assert.ok(error instanceof MonolithError && error.code === 'RecordCorrupt', String(error));
      }
    };
    for (let cut = 0; cut <= bytes.length; cut++) tryDecode(bytes.subarray(0, cut));
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = Buffer.from(bytes);
      damaged[bit >> 3] ^= 1 << (bit & 7);
      tryDecode(damaged);
    }
  });
}

test('fields that are not known are kept, values that do not fit are refused', () => {
  const unknown = Buffer.from('9a0603616263', 'hex');
  const message = decodeMessage('Example', unknown);
  assert.deepEqual(message.unknownFields, unknown);
  assert.deepEqual(encodeMessage('Example', { ...message, label: [1] }), Buffer.concat([Buffer.from('aa06040000803f', 'hex'), unknown]));
  assert.throws(() => encodeMessage('Instance', { fids: [1n] }), /Instance\.fids: there is no such field/);
  assert.throws(() => encodeMessage('Instance', { fid: [1] }), /Instance\.fid: expected fixed64, got number 1/);
  assert.throws(() => encodeMessage('Instance', { fid: [2n ** 64n] }), /beyond 64 bits/);
  assert.throws(() => encodeMessage('LineId', { rank: 1.5 }), /LineId\.rank: expected int32/);
});

const folder = sharedData();
test('a real ranking request: 139 lists of 51 features, written again byte for byte', { skip: folder === null ? 'absent' : false }, () => {
  const bytes = readFileSync(join(folder ?? '', 'monolith/example_batch.pb'));
  const batch = decodeMessage('ExampleBatch', bytes);
  const lists = batch.named_feature_list as MonolithMessage[];
  assert.deepEqual([batch.batch_size, lists.length], [51, 139]);
  const features = lists.flatMap((list) => list.feature as MonolithMessage[]);
  assert.equal(features.length, 139 * 51);
  const fids = features.flatMap((feature) => ((feature.fid_v1_list as MonolithMessage | undefined)?.value ?? []) as bigint[]);
  // 1196 values stand in the text form, 51 labels and 51 LineIds among them.
  assert.equal(fids.length, 1196 - 2 * 51);
  for (const fid of fids) assert.equal(slotOf(fidV1ToV2(fid)), slotOfV1(fid));
  assert.deepEqual(encodeMessage('ExampleBatch', batch), bytes);
});
