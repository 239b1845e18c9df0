import type { UnaryReply } from '../../grpc/index.js';
import {
  type ApplyGradientsResponse,
  applyGradientsRequestCodec,
  applyGradientsResponseCodec,
  lookupRequestCodec,
  lookupResponseCodec,
} from '../../proto/index.js';
import { fromTransport, PsError, refusedByShard } from '../errors.js';
import { PsHeader } from '../service/protocol.js';
import type { ResolvedPsClientOptions } from './options.js';
import type { ShardConnection } from './shard-connection.js';

/** Parts of one call that are under way to one shard at a time: enough to keep it busy, few enough to bound memory. */
const PARTS_UNDER_WAY = 4;
/** Ids of one part at most: a shard's default limit is above it. */
const MOST_IDS = 1 << 18;
/** Bytes of an id on the wire, at most. */
const ID_BYTES = 10;

type LookupPart = {
  readonly tableName: string;
  readonly dimSize: number;
  readonly createIfMissing: boolean;
  readonly fids: BigInt64Array;
  readonly from: number;
  readonly to: number;
  /** [ids × dim], of which positions from … to−1 are written. */
  readonly rows: Float32Array;
  readonly found: Uint8Array;
};

/** Rows of positions from … to−1 of distinct ids, in as many messages as it takes. */
export async function lookupOnShard(shard: ShardConnection, call: LookupPart, options: ResolvedPsClientOptions): Promise<void> {
  const { tableName, dimSize, createIfMissing, fids, rows, found } = call;
  const what = `lookup in table "${tableName}" on shard ${shard.shard} (${shard.address})`;
  await inParts(call.from, call.to, Math.max(ID_BYTES, dimSize * 4 + 1), options.messageBytes, async (from, to) => {
    const ids = fids.subarray(from, to);
    const encode = (timeoutMs: number) => lookupRequestCodec.encode({ tableName, fids: ids, dimSize, createIfMissing, timeoutMs });
    const reply = await shard.repeat('Lookup', encode, options.timeoutMs).catch((error: unknown) => {
      throw fromTransport(error, what, options.timeoutMs);
    });
    const answer = decode(reply, lookupResponseCodec.decode, what);
    refuse(answer, reply, shard, what);
    if (answer.embeddings.length !== ids.length * dimSize || answer.found.length !== ids.length) {
      const message = `Dimension mismatch: expected ${ids.length * dimSize}, got ${answer.embeddings.length} (${what}: the answer has other rows than asked for)`;
      throw new PsError('DimensionMismatch', message, { expected: ids.length * dimSize, actual: answer.embeddings.length });
    }
    rows.set(answer.embeddings, from * dimSize);
    found.set(answer.found, from);
  });
}

type ApplyPart = {
  readonly tableName: string;
  readonly dimSize: number;
  readonly learningRate: number;
  readonly globalStep: number;
  readonly fids: BigInt64Array;
  /** [ids × dim] */
  readonly gradients: Float32Array;
  readonly from: number;
  readonly to: number;
};

/** Gradients of positions from … to−1 of distinct ids, in as many messages as it takes; each is applied once. */
export async function applyToShard(
  shard: ShardConnection,
  call: ApplyPart,
  options: ResolvedPsClientOptions,
): Promise<ApplyGradientsResponse> {
  const { tableName, dimSize, learningRate, globalStep, fids, gradients } = call;
  const what = `apply to table "${tableName}" on shard ${shard.shard} (${shard.address})`;
  let numUpdated = 0;
  let numNotFound = 0;
  await inParts(call.from, call.to, ID_BYTES + dimSize * 4, options.messageBytes, async (from, to) => {
    const part = {
      tableName,
      fids: fids.subarray(from, to),
      gradients: gradients.subarray(from * dimSize, to * dimSize),
      dimSize,
      learningRate,
      globalStep,
    };
    const encode = (timeoutMs: number) => applyGradientsRequestCodec.encode({ ...part, timeoutMs: Math.ceil(timeoutMs) });
    const reply = await shard.applyOnce(encode, options.timeoutMs).catch((error: unknown) => {
      throw fromTransport(error, what, options.timeoutMs);
    });
    const answer = decode(reply, applyGradientsResponseCodec.decode, what);
    refuse(answer, reply, shard, what);
    numUpdated += answer.numUpdated;
    numNotFound += answer.numNotFound;
  });
  return { statusCode: 0, errorMessage: '', numUpdated, numNotFound };
}

/** Runs `part` over [from, to) in pieces of at most `messageBytes`, a few at a time, begun in order. */
async function inParts(
  from: number,
  to: number,
  bytesPerId: number,
  messageBytes: number,
  part: (from: number, to: number) => Promise<void>,
): Promise<void> {
  const ids = Math.max(1, Math.min(MOST_IDS, Math.floor((messageBytes - 512) / bytesPerId)));
  let next = from;
  const runner = async (): Promise<void> => {
    while (next < to) {
      const start = next;
      next = Math.min(to, start + ids);
      try {
        await part(start, next);
      } catch (error) {
        next = to;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARTS_UNDER_WAY, Math.ceil((to - from) / ids)) }, runner));
}

function decode<T>(reply: UnaryReply, read: (bytes: Uint8Array) => T, what: string): T {
  try {
    return read(reply.message);
  } catch (error) {
    throw fromTransport(error, what, 0);
  }
}

function refuse(
  answer: { readonly statusCode: number; readonly errorMessage: string },
  reply: UnaryReply,
  shard: ShardConnection,
  what: string,
): void {
  if (answer.statusCode === 0) return;
  throw refusedByShard(`${what}: ${answer.errorMessage}`, shard.address, shard.shard, reply.header(PsHeader.code));
}
