import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Message, Root, Type } from 'protobufjs';
import {
  applyGradientsRequestCodec,
  applyGradientsResponseCodec,
  barrierRequestCodec,
  barrierResponseCodec,
  fileDescriptors,
  getStatsRequestCodec,
  getStatsResponseCodec,
  healthCheckRequestCodec,
  healthCheckResponseCodec,
  loadProtos,
  lookupRequestCodec,
  lookupResponseCodec,
  pushRequestCodec,
  pushResponseCodec,
} from '../../src/proto/index.js';

const root: Root = loadProtos(['ps_training.proto', 'parameter_sync_rpc.proto']);
const typeOf = (name: string): Type => root.lookupType(name);
const longs = (values: BigInt64Array): { low: number; high: number; unsigned: boolean }[] =>
  Array.from(values, (value) => ({ low: Number(BigInt.asIntN(32, value)), high: Number(value >> 32n), unsigned: false }));
const long = (value: number) => longs(BigInt64Array.of(BigInt(value)))[0];

/** What protobufjs writes for the fields that are not default; proto3 leaves those out. */
function reference(name: string, fields: Record<string, unknown>): Uint8Array {
  const kept = Object.entries(fields).filter(
    ([, v]) => v !== 0 && v !== '' && v !== false && !(isZero(v) || (Array.isArray(v) && v.length === 0)),
  );
  const type = typeOf(name);
  return type.encode(type.create(Object.fromEntries(kept)) as Message).finish();
}

function isZero(value: unknown): boolean {
  const { low, high } = (value ?? {}) as { low?: number; high?: number };
  return low === 0 && high === 0;
}

const anyFid = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const fidsOf = fc.array(fc.oneof(anyFid, fc.bigInt({ min: -3n, max: 300n })), { maxLength: 40 }).map((ids) => BigInt64Array.from(ids));
const floatsOf = fc.array(fc.float({ noNaN: true }), { maxLength: 40 }).map((values) => Float32Array.from(values));
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const time = fc.integer({ min: -1000, max: 2 ** 45 });
const text = fc.string({ maxLength: 20, unit: 'binary' });
const P = 'monolith.ps_training.';

describe('codecs write what protobufjs writes, and read it back', () => {
  test('LookupRequest', () => {
    fc.assert(
      fc.property(text, fidsOf, int32, fc.boolean(), time, (tableName, fids, dimSize, createIfMissing, timeoutMs) => {
        const message = { tableName, fids, dimSize, createIfMissing, timeoutMs };
        const bytes = lookupRequestCodec.encode(message);
        const fields = {
          table_name: tableName,
          fids: longs(fids),
          dim_size: dimSize,
          create_if_missing: createIfMissing,
          timeout_ms: long(timeoutMs),
        };
        assert.deepEqual(new Uint8Array(bytes), new Uint8Array(reference(`${P}LookupRequest`, fields)));
        assert.deepEqual(lookupRequestCodec.decode(bytes), message);
      }),
    );
  });

  test('LookupResponse', () => {
    fc.assert(
      fc.property(
        int32,
        text,
        floatsOf,
        fc.array(fc.boolean()),
        int32,
        int32,
        (statusCode, errorMessage, embeddings, flags, numFound, numInitialized) => {
          const message = { statusCode, errorMessage, embeddings, found: Uint8Array.from(flags, Number), numFound, numInitialized };
          const bytes = lookupResponseCodec.encode(message);
          const fields = {
            status_code: statusCode,
            error_message: errorMessage,
            embeddings: [...embeddings],
            found: flags,
            num_found: numFound,
            num_initialized: numInitialized,
          };
          assert.deepEqual(new Uint8Array(bytes), new Uint8Array(reference(`${P}LookupResponse`, fields)));
          const back = lookupResponseCodec.decode(bytes);
          assert.deepEqual({ ...back, found: Uint8Array.from(back.found) }, message);
        },
      ),
    );
  });

  test('ApplyGradientsRequest and its response', () => {
    fc.assert(
      fc.property(
        text,
        fidsOf,
        floatsOf,
        int32,
        fc.float({ noNaN: true }),
        time,
        time,
        (tableName, fids, gradients, dimSize, learningRate, globalStep, timeoutMs) => {
          const message = { tableName, fids, gradients, dimSize, learningRate, globalStep, timeoutMs };
          const bytes = applyGradientsRequestCodec.encode(message);
          const fields: Record<string, unknown> = {
            table_name: tableName,
            fids: longs(fids),
            gradients: [...gradients],
            dim_size: dimSize,
            learning_rate: learningRate,
            global_step: long(globalStep),
            timeout_ms: long(timeoutMs),
          };
          if (Object.is(learningRate, -0)) return;
          assert.deepEqual(new Uint8Array(bytes), new Uint8Array(reference(`${P}ApplyGradientsRequest`, fields)));
          assert.deepEqual(applyGradientsRequestCodec.decode(bytes), message);
        },
      ),
    );
    const answer = { statusCode: 1, errorMessage: 'ü', numUpdated: 3, numNotFound: -1 };
    const bytes = applyGradientsResponseCodec.encode(answer);
    const fields = { status_code: 1, error_message: 'ü', num_updated: 3, num_not_found: -1 };
    assert.deepEqual(new Uint8Array(bytes), new Uint8Array(reference(`${P}ApplyGradientsResponse`, fields)));
    assert.deepEqual(applyGradientsResponseCodec.decode(bytes), answer);
  });

  test('barrier, health and statistics', () => {
    const barrier = { barrierId: 'b0', workerId: -1, numWorkers: 3, timeoutMs: 2 ** 40 };
    const same = (bytes: Uint8Array, name: string, fields: Record<string, unknown>): void =>
      assert.deepEqual(new Uint8Array(bytes), new Uint8Array(reference(P + name, fields)), name);
    same(barrierRequestCodec.encode(barrier), 'BarrierRequest', {
      barrier_id: 'b0',
      worker_id: -1,
      num_workers: 3,
      timeout_ms: long(2 ** 40),
    });
    assert.deepEqual(barrierRequestCodec.decode(barrierRequestCodec.encode(barrier)), barrier);
    const passed = { statusCode: 2, errorMessage: 'x', numArrived: 2 };
    same(barrierResponseCodec.encode(passed), 'BarrierResponse', { status_code: 2, error_message: 'x', num_arrived: 2 });
    assert.deepEqual(barrierResponseCodec.decode(barrierResponseCodec.encode(passed)), passed);
    same(healthCheckRequestCodec.encode({ component: 'ps' }), 'HealthCheckRequest', { component: 'ps' });
    assert.deepEqual(healthCheckRequestCodec.decode(healthCheckRequestCodec.encode({ component: 'ps' })), { component: 'ps' });
    const health = { status: 'DEGRADED' as const, message: 'OK', uptimeSeconds: 77 };
    same(healthCheckResponseCodec.encode(health), 'HealthCheckResponse', { status: 3, message: 'OK', uptime_seconds: long(77) });
    assert.deepEqual(healthCheckResponseCodec.decode(healthCheckResponseCodec.encode(health)), health);
    same(getStatsRequestCodec.encode({ includeTableStats: true }), 'GetStatsRequest', { include_table_stats: true });
    assert.deepEqual(getStatsRequestCodec.decode(getStatsRequestCodec.encode({ includeTableStats: true })), { includeTableStats: true });
    const stats = {
      shardId: 1,
      totalEmbeddings: 2 ** 40,
      memoryBytes: 3,
      tableStats: [
        { name: 'a', numEmbeddings: 1, dimSize: 2, memoryBytes: 8 },
        { name: '', numEmbeddings: 0, dimSize: 0, memoryBytes: 0 },
      ],
      lookupCount: 4,
      applyGradientsCount: 5,
      avgLookupLatencyUs: 6,
      avgApplyLatencyUs: 7,
    };
    same(getStatsResponseCodec.encode(stats), 'GetStatsResponse', {
      shard_id: 1,
      total_embeddings: long(2 ** 40),
      memory_bytes: long(3),
      table_stats: [{ name: 'a', num_embeddings: long(1), dim_size: 2, memory_bytes: long(8) }, {}],
      lookup_count: long(4),
      apply_gradients_count: long(5),
      avg_lookup_latency_us: long(6),
      avg_apply_latency_us: long(7),
    });
    assert.deepEqual(getStatsResponseCodec.decode(getStatsResponseCodec.encode(stats)), stats);
  });

  test('a push of changed rows, unpacked as proto2 has it', () => {
    fc.assert(
      fc.property(fidsOf, floatsOf, text, (fids, embeddings, name) => {
        const table = { uniqueId: name, dimSize: 2, fids, embeddings };
        const message = {
          modelName: 'm',
          signatureName: name,
          deltaHashTables: [table],
          deltaMultiHashTables: [table, table],
          timeoutInMs: 1000,
        };
        const fields = { unique_id: name, dim_size: 2, fids: longs(fids), embeddings: [...embeddings] };
        const type = typeOf('monolith.parameter_sync.PushRequest');
        const expected = type
          .encode(
            type.create({
              model_name: 'm',
              signature_name: name,
              delta_hash_tables: [fields],
              timeout_in_ms: long(1000),
              delta_multi_hash_tables: [fields, fields],
            }),
          )
          .finish();
        const bytes = pushRequestCodec.encode(message);
        assert.deepEqual(new Uint8Array(bytes), new Uint8Array(expected));
        assert.deepEqual(pushRequestCodec.decode(bytes), message);
      }),
    );
    const type = typeOf('monolith.parameter_sync.PushResponse');
    const answer = { target: 'h:1', statusCode: 14, errorMessage: '', updateNum: 0 };
    const bytes = pushResponseCodec.encode(answer);
    const expected = type.encode(type.create({ target: 'h:1', status_code: 14, error_message: '', update_num: 0 })).finish();
    assert.deepEqual(new Uint8Array(bytes), new Uint8Array(expected));
    assert.deepEqual(pushResponseCodec.decode(bytes), answer);
  });
});

describe('readers', () => {
  const whole = {
    tableName: 't',
    fids: BigInt64Array.of(-1n, 2n ** 63n - 1n, 7n),
    gradients: Float32Array.of(1, -2.5, 3),
    dimSize: 1,
    learningRate: 0.5,
    globalStep: 9,
    timeoutMs: 0,
  };

  test('take unpacked and mixed repeated fields, and skip what they do not know', () => {
    const one = applyGradientsRequestCodec.encode({ ...whole, fids: whole.fids.subarray(0, 1), gradients: whole.gradients.subarray(0, 1) });
    const rest = Buffer.from(`10${'ff'.repeat(8)}7f10071d000020c01d00004040${'7a03616263'}${'79'}${'00'.repeat(8)}`, 'hex');
    assert.deepEqual(applyGradientsRequestCodec.decode(Buffer.concat([one, rest])), whole);
    const unpackedFlags = Buffer.from('2001200020012202010022020101', 'hex');
    assert.deepEqual([...lookupResponseCodec.decode(unpackedFlags).found], [1, 0, 1, 1, 0, 1, 1]);
  });

  test('refuse every message that is cut off inside a field, and stay inside its bytes', () => {
    const bytes = applyGradientsRequestCodec.encode(whole);
    for (let length = 0; length < bytes.length; length++) {
      try {
        applyGradientsRequestCodec.decode(bytes.subarray(0, length));
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'RecordCorrupt');
      }
    }
    assert.throws(() => applyGradientsRequestCodec.decode(Buffer.from('12ffffffff0f', 'hex')), { code: 'RecordCorrupt' });
    assert.throws(() => lookupRequestCodec.decode(Buffer.from('1a0100', 'hex')), { code: 'RecordCorrupt' });
    assert.throws(() => applyGradientsRequestCodec.decode(Buffer.from('1a03000000', 'hex')), { code: 'RecordCorrupt' });
  });

  test('throw nothing but RecordCorrupt for any bytes', () => {
    const codecs = [
      lookupRequestCodec,
      lookupResponseCodec,
      applyGradientsRequestCodec,
      barrierRequestCodec,
      getStatsResponseCodec,
      pushRequestCodec,
    ];
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        for (const codec of codecs) {
          try {
            codec.decode(bytes);
          } catch (error) {
            assert.equal((error as { code?: string }).code, 'RecordCorrupt', String(error));
          }
        }
      }),
      { numRuns: 3000 },
    );
  });
});

test('descriptors for reflection name the services and their files', () => {
  const files = fileDescriptors(['ps_training.proto', 'parameter_sync_rpc.proto']).map((file) => Buffer.from(file).toString('latin1'));
  assert.equal(files.length, 3);
  assert.ok(files.some((file) => file.includes('ParameterServerTraining') && file.includes('create_if_missing')));
  assert.ok(files.some((file) => file.includes('ParameterSyncRpc')));
});
