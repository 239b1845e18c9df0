import { ProtoReader, ProtoWriter, varints64Length } from './wire.js';

/** Changed rows of one table; see protos/parameter_sync.proto. */
export type DeltaTable = {
  readonly uniqueId: string;
  readonly dimSize: number;
  readonly fids: BigInt64Array;
  /** [fids × dim] */
  readonly embeddings: Float32Array;
};

export type PushRequest = {
  readonly modelName: string;
  readonly signatureName: string;
  readonly deltaHashTables: readonly DeltaTable[];
  readonly deltaMultiHashTables: readonly DeltaTable[];
  /** Default 1000. */
  readonly timeoutInMs: number;
};

export type PushResponse = {
  readonly target: string;
  /** A gRPC status code; 0: taken. */
  readonly statusCode: number;
  readonly errorMessage: string;
  readonly updateNum: number;
};

const deltaCodec = {
  encode: ({ uniqueId, dimSize, fids, embeddings }: DeltaTable): Buffer =>
    new ProtoWriter(64 + uniqueId.length * 3 + fids.length + varints64Length(fids) + embeddings.length * 5)
      .optionalString(1, uniqueId)
      .optionalInt(2, dimSize)
      .unpackedInt64(3, fids)
      .unpackedFloat(4, embeddings)
      .finish(),
  decode(bytes: Uint8Array): DeltaTable {
    const message = { uniqueId: '', dimSize: 0, fids: new BigInt64Array(0), embeddings: new Float32Array(0) };
    const reader = new ProtoReader(bytes);
    while (reader.next()) {
      if (reader.field === 1) message.uniqueId = reader.string();
      else if (reader.field === 2) message.dimSize = reader.int32();
      else if (reader.field === 3) message.fids = reader.repeatedInt64(message.fids) as typeof message.fids;
      else if (reader.field === 4) message.embeddings = reader.repeatedFloat(message.embeddings) as typeof message.embeddings;
      else reader.skip();
    }
    return message;
  },
};

export const pushRequestCodec = {
  encode({ modelName, signatureName, deltaHashTables, deltaMultiHashTables, timeoutInMs }: PushRequest): Buffer {
    const tables = deltaHashTables.map(deltaCodec.encode);
    const multi = deltaMultiHashTables.map(deltaCodec.encode);
    const size = [...tables, ...multi].reduce((sum, table) => sum + table.length + 12, 0);
    const writer = new ProtoWriter(size + 64 + (modelName.length + signatureName.length) * 3);
    writer.optionalString(1, modelName).optionalString(2, signatureName);
    for (const table of tables) writer.bytes(3, table);
    writer.optionalInt(4, timeoutInMs);
    for (const table of multi) writer.bytes(5, table);
    return writer.finish();
  },
  decode(bytes: Uint8Array): PushRequest {
    const deltaHashTables: DeltaTable[] = [];
    const deltaMultiHashTables: DeltaTable[] = [];
    const message = { modelName: '', signatureName: '', timeoutInMs: 1000 };
    const reader = new ProtoReader(bytes);
    while (reader.next()) {
      if (reader.field === 1) message.modelName = reader.string();
      else if (reader.field === 2) message.signatureName = reader.string();
      else if (reader.field === 3) deltaHashTables.push(deltaCodec.decode(reader.bytes()));
      else if (reader.field === 4) message.timeoutInMs = reader.int64();
      else if (reader.field === 5) deltaMultiHashTables.push(deltaCodec.decode(reader.bytes()));
      else reader.skip();
    }
    return { ...message, deltaHashTables, deltaMultiHashTables };
  },
};

export const pushResponseCodec = {
  encode: ({ target, statusCode, errorMessage, updateNum }: PushResponse): Buffer =>
    new ProtoWriter()
      .optionalInt(1, statusCode)
      .optionalString(2, errorMessage)
      .optionalString(3, target)
      .optionalInt(4, updateNum)
      .finish(),
  decode(bytes: Uint8Array): PushResponse {
    const message = { target: '', statusCode: 0, errorMessage: '', updateNum: 0 };
    const reader = new ProtoReader(bytes);
    while (reader.next()) {
      if (reader.field === 1) message.statusCode = reader.int32();
      else if (reader.field === 2) message.errorMessage = reader.string();
      else if (reader.field === 3) message.target = reader.string();
      else if (reader.field === 4) message.updateNum = reader.int32();
      else reader.skip();
    }
    return message;
  },
};
