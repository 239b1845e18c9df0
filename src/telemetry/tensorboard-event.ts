import { crc32c, maskCrc32c, varintLength, writeVarint } from '../base/index.js';

/** One figure of a step, as TensorBoard plots it; `tag` groups by the part before its slash: `train/loss`. */
export type Scalar = { readonly tag: string; readonly value: number };

/** What one record of an event file says. */
export type TensorBoardEvent = {
  /** Seconds since 1970. */
  readonly wallTime: number;
  readonly step: number;
  readonly fileVersion?: string;
  readonly scalars?: readonly Scalar[];
  /** A run starts (again) at `step`: TensorBoard forgets points of earlier starts from this step on. */
  readonly sessionStart?: boolean;
};

/** First record of every event file. */
export const FILE_VERSION = 'brain.Event:2';

/** Fields of tensorflow.Event, Summary, Summary.Value and SessionLog that are written and read here (tensorflow/core/util/event.proto). */
export const EventField = { wallTime: 1, step: 2, fileVersion: 3, summary: 5, sessionLog: 7 } as const;
export const SummaryField = { value: 1, tag: 1, simpleValue: 2, tensor: 8 } as const;
export const SessionLogField = { status: 1 } as const;
export const SESSION_START = 1;

const utf8 = new TextEncoder();

/** A protobuf message under construction; an event has at most a few hundred bytes. */
class Message {
  private readonly parts: Uint8Array[] = [];

  double(field: number, value: number): this {
    const bytes = new Uint8Array(9);
    bytes[0] = (field << 3) | 1;
    new DataView(bytes.buffer).setFloat64(1, value, true);
    this.parts.push(bytes);
    return this;
  }

  float(field: number, value: number): this {
    const bytes = new Uint8Array(5);
    bytes[0] = (field << 3) | 5;
    new DataView(bytes.buffer).setFloat32(1, value, true);
    this.parts.push(bytes);
    return this;
  }

  varint(field: number, value: number): this {
    const bytes = new Uint8Array(1 + varintLength(value));
    bytes[0] = field << 3;
    writeVarint(value, bytes, 1);
    this.parts.push(bytes);
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    const head = new Uint8Array(1 + varintLength(value.length));
    head[0] = (field << 3) | 2;
    writeVarint(value.length, head, 1);
    this.parts.push(head, value);
    return this;
  }

  finish(): Uint8Array {
    return Buffer.concat(this.parts);
  }
}

/** A tensorflow.Event as protobuf. Scalars are written as float32. */
export function encodeEvent(event: TensorBoardEvent): Uint8Array {
  const message = new Message().double(EventField.wallTime, event.wallTime);
  if (event.step !== 0) message.varint(EventField.step, event.step);
  if (event.fileVersion !== undefined) message.bytes(EventField.fileVersion, utf8.encode(event.fileVersion));
  if (event.scalars !== undefined) {
    const summary = new Message();
    for (const { tag, value } of event.scalars) {
      const entry = new Message().bytes(SummaryField.tag, utf8.encode(tag)).float(SummaryField.simpleValue, value);
      summary.bytes(SummaryField.value, entry.finish());
    }
    message.bytes(EventField.summary, summary.finish());
  }
  if (event.sessionStart === true) {
    message.bytes(EventField.sessionLog, new Message().varint(SessionLogField.status, SESSION_START).finish());
  }
  return message.finish();
}

/**
 * A record of a TFRecord file:
 *
 *     length u64 · masked crc32c of the length u32 · payload · masked crc32c of the payload u32      (little-endian)
 */
export function frameRecord(payload: Uint8Array): Uint8Array {
  const record = new Uint8Array(12 + payload.length + 4);
  const view = new DataView(record.buffer);
  view.setUint32(0, payload.length, true);
  view.setUint32(8, maskCrc32c(crc32c(record.subarray(0, 8))), true);
  record.set(payload, 12);
  view.setUint32(12 + payload.length, maskCrc32c(crc32c(payload)), true);
  return record;
}
