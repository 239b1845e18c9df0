import { fieldOverhead, ProtoReader, ProtoWriter, varints64Length } from './wire.js';

/** See protos/ps_training.proto for what the fields mean. Arrays of a decoded message may be views of its bytes. */
export type LookupRequest = {
  readonly tableName: string;
  readonly fids: BigInt64Array;
  readonly dimSize: number;
  readonly createIfMissing: boolean;
  readonly timeoutMs: number;
};

export type LookupResponse = {
  readonly statusCode: number;
  readonly errorMessage: string;
  /** [fids × dim] */
  readonly embeddings: Float32Array;
  /** [fids] 0 or 1. */
  readonly found: Uint8Array;
  readonly numFound: number;
  readonly numInitialized: number;
};

export type ApplyGradientsRequest = {
  readonly tableName: string;
  readonly fids: BigInt64Array;
  /** [fids × dim] */
  readonly gradients: Float32Array;
  readonly dimSize: number;
  readonly learningRate: number;
  readonly globalStep: number;
  readonly timeoutMs: number;
};

export type ApplyGradientsResponse = {
  readonly statusCode: number;
  readonly errorMessage: string;
  readonly numUpdated: number;
  readonly numNotFound: number;
};

const noIds = new BigInt64Array(0);
const noFloats = new Float32Array(0);
const noFlags = new Uint8Array(0);

function arrayBytes(field: number, length: number): number {
  return length === 0 ? 0 : length + fieldOverhead(field, length);
}

export const lookupRequestCodec = {
  encode({ tableName, fids, dimSize, createIfMissing, timeoutMs }: LookupRequest): Buffer {
    return new ProtoWriter(64 + tableName.length * 3 + arrayBytes(2, varints64Length(fids)))
      .string(1, tableName)
      .packedInt64(2, fids)
      .int(3, dimSize)
      .bool(4, createIfMissing)
      .int(5, timeoutMs)
      .finish();
  },
  decode(bytes: Uint8Array): LookupRequest {
    const message = { tableName: '', fids: noIds, dimSize: 0, createIfMissing: false, timeoutMs: 0 };
    const reader = new ProtoReader(bytes);
    while (reader.next()) {
      if (reader.field === 1) message.tableName = reader.string();
      else if (reader.field === 2) message.fids = reader.repeatedInt64(message.fids) as typeof noIds;
      else if (reader.field === 3) message.dimSize = reader.int32();
      else if (reader.field === 4) message.createIfMissing = reader.bool();
      else if (reader.field === 5) message.timeoutMs = reader.int64();
      else reader.skip();
    }
    return message;
  },
};

export const lookupResponseCodec = {
  encode({ statusCode, errorMessage, embeddings, found, numFound, numInitialized }: LookupResponse): Buffer {
    return new ProtoWriter(96 + errorMessage.length * 3 + arrayBytes(3, embeddings.byteLength) + arrayBytes(4, found.length))
      .int(1, statusCode)
      .string(2, errorMessage)
      .packedFloat(3, embeddings)
      .packedBool(4, found)
      .int(5, numFound)
      .int(6, numInitialized)
      .finish();
  },
  decode(bytes: Uint8Array): LookupResponse {
    const message = { statusCode: 0, errorMessage: '', embeddings: noFloats, found: noFlags, numFound: 0, numInitialized: 0 };
    const reader = new ProtoReader(bytes);
    while (reader.next()) {
      if (reader.field === 1) message.statusCode = reader.int32();
      else if (reader.field === 2) message.errorMessage = reader.string();
      else if (reader.field === 3) message.embeddings = reader.repeatedFloat(message.embeddings) as typeof noFloats;
      else if (reader.field === 4) message.found = reader.repeatedBool(message.found) as typeof noFlags;
      else if (reader.field === 5) message.numFound = reader.int32();
      else if (reader.field === 6) message.numInitialized = reader.int32();
      else reader.skip();
    }
    return message;
  },
};

export const applyGradientsRequestCodec = {
  encode({ tableName, fids, gradients, dimSize, learningRate, globalStep, timeoutMs }: ApplyGradientsRequest): Buffer {
    return new ProtoWriter(96 + tableName.length * 3 + arrayBytes(2, varints64Length(fids)) + arrayBytes(3, gradients.byteLength))
      .string(1, tableName)
      .packedInt64(2, fids)
      .packedFloat(3, gradients)
      .int(4, dimSize)
      .float(5, learningRate)
      .int(6, globalStep)
      .int(7, timeoutMs)
      .finish();
  },
  decode(bytes: Uint8Array): ApplyGradientsRequest {
    const message = { tableName: '', fids: noIds, gradients: noFloats, dimSize: 0, learningRate: 0, globalStep: 0, timeoutMs: 0 };
    const reader = new ProtoReader(bytes);
    while (reader.next()) {
      if (reader.field === 1) message.tableName = reader.string();
      else if (reader.field === 2) message.fids = reader.repeatedInt64(message.fids) as typeof noIds;
      else if (reader.field === 3) message.gradients = reader.repeatedFloat(message.gradients) as typeof noFloats;
      else if (reader.field === 4) message.dimSize = reader.int32();
      else if (reader.field === 5) message.learningRate = reader.float();
      else if (reader.field === 6) message.globalStep = reader.int64();
      else if (reader.field === 7) message.timeoutMs = reader.int64();
      else reader.skip();
    }
    return message;
  },
};

export const applyGradientsResponseCodec = {
  encode({ statusCode, errorMessage, numUpdated, numNotFound }: ApplyGradientsResponse): Buffer {
    return new ProtoWriter(64 + errorMessage.length * 3)
      .int(1, statusCode)
      .string(2, errorMessage)
      .int(3, numUpdated)
      .int(4, numNotFound)
      .finish();
  },
  decode(bytes: Uint8Array): ApplyGradientsResponse {
    const message = { statusCode: 0, errorMessage: '', numUpdated: 0, numNotFound: 0 };
    const reader = new ProtoReader(bytes);
    while (reader.next()) {
      if (reader.field === 1) message.statusCode = reader.int32();
      else if (reader.field === 2) message.errorMessage = reader.string();
      else if (reader.field === 3) message.numUpdated = reader.int32();
      else if (reader.field === 4) message.numNotFound = reader.int32();
      else reader.skip();
    }
    return message;
  },
};
