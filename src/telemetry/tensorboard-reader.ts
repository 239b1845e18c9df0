import { type Cursor, crc32c, MonolithError, maskCrc32c, readVarint, readVarint64 } from '../base/index.js';
import { EventField, type Scalar, SESSION_START, SessionLogField, SummaryField, type TensorBoardEvent } from './tensorboard-event.js';

/** Fields of tensorflow.TensorProto that hold a scalar, and the number of its type float. */
const TensorField = { dtype: 1, content: 4, floatValues: 5 } as const;
const DT_FLOAT = 1;

type Field = { readonly number: number; readonly value: number | bigint | Uint8Array };

/** The fields of a protobuf message, in order of appearance. Fixed-size numbers come as their bytes. */
function* fieldsOf(bytes: Uint8Array): Generator<Field> {
  const cursor: Cursor = { offset: 0 };
  while (cursor.offset < bytes.length) {
    const key = readVarint(bytes, cursor);
    const number = Math.floor(key / 8);
    const wireType = key % 8;
    if (wireType === 0) {
      yield { number, value: readVarint64(bytes, cursor) };
      continue;
    }
    const length = wireType === 1 ? 8 : wireType === 5 ? 4 : wireType === 2 ? readVarint(bytes, cursor) : -1;
    if (length < 0 || length > bytes.length - cursor.offset) {
      const left = bytes.length - cursor.offset;
      const what = length < 0 ? `wire type ${wireType} is not known` : `${length} bytes are announced, ${left} are left`;
      throw new MonolithError('RecordCorrupt', `protobuf field ${number} at byte ${cursor.offset}: ${what}`);
    }
    yield { number, value: bytes.subarray(cursor.offset, cursor.offset + length) };
    cursor.offset += length;
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** First float of a TensorProto; NaN when it holds another type or none. */
function tensorScalar(bytes: Uint8Array): number {
  let value = Number.NaN;
  let isFloat = false;
  for (const field of fieldsOf(bytes)) {
    if (field.number === TensorField.dtype) isFloat = Number(field.value) === DT_FLOAT;
    const holdsFloats = field.number === TensorField.content || field.number === TensorField.floatValues;
    if (holdsFloats && field.value instanceof Uint8Array && field.value.length >= 4) value = viewOf(field.value).getFloat32(0, true);
  }
  return isFloat ? value : Number.NaN;
}

function scalarsOf(summary: Uint8Array): Scalar[] {
  const scalars: Scalar[] = [];
  for (const entry of fieldsOf(summary)) {
    if (entry.number !== SummaryField.value || !(entry.value instanceof Uint8Array)) continue;
    let tag = '';
    let value: number | null = null;
    for (const field of fieldsOf(entry.value)) {
      if (!(field.value instanceof Uint8Array)) continue;
      if (field.number === SummaryField.tag) tag = Buffer.from(field.value).toString('utf8');
      else if (field.number === SummaryField.simpleValue && field.value.length === 4) value = viewOf(field.value).getFloat32(0, true);
      else if (field.number === SummaryField.tensor) value = tensorScalar(field.value);
    }
    if (value !== null) scalars.push({ tag, value });
  }
  return scalars;
}

/** A tensorflow.Event; fields that are not of {@link TensorBoardEvent} (graphs, images) are passed over. @throws RecordCorrupt */
export function decodeEvent(bytes: Uint8Array): TensorBoardEvent {
  let event: TensorBoardEvent = { wallTime: 0, step: 0 };
  for (const { number, value } of fieldsOf(bytes)) {
    if (typeof value === 'bigint') {
      if (number === EventField.step) event = { ...event, step: Number(BigInt.asIntN(64, value)) };
    } else if (value instanceof Uint8Array) {
      if (number === EventField.wallTime && value.length === 8) event = { ...event, wallTime: viewOf(value).getFloat64(0, true) };
      if (number === EventField.fileVersion) event = { ...event, fileVersion: Buffer.from(value).toString('utf8') };
      if (number === EventField.summary) event = { ...event, scalars: scalarsOf(value) };
      if (number === EventField.sessionLog) event = { ...event, sessionStart: isSessionStart(value) };
    }
  }
  return event;
}

function isSessionStart(sessionLog: Uint8Array): boolean {
  for (const field of fieldsOf(sessionLog)) if (field.number === SessionLogField.status) return Number(field.value) === SESSION_START;
  return false;
}

/**
 * The events of an event file, checksums verified.
 *
 * @param bytes the whole file.
 * @param name  file name for errors.
 * @throws RecordCorrupt naming record and byte: wrong checksum, or a record that does not fit in what is left.
 */
export function* readEvents(bytes: Uint8Array, name: string): Generator<TensorBoardEvent> {
  const view = viewOf(bytes);
  let record = 0;
  for (let at = 0; at < bytes.length; record++) {
    const left = bytes.length - at;
    const corrupt = (what: string): MonolithError =>
      new MonolithError('RecordCorrupt', `${name} record ${record} at byte ${at}: ${what}`, { file: name, record, byte: at });
    if (left < 16) throw corrupt(`${left} bytes are left, a record has at least 16`);
    if (maskCrc32c(crc32c(bytes.subarray(at, at + 8))) !== view.getUint32(at + 8, true))
      throw corrupt('the checksum of its length is wrong');
    const length = view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
    if (length > left - 16) throw corrupt(`length ${length} exceeds the ${left - 16} bytes left in the file`);
    const payload = bytes.subarray(at + 12, at + 12 + length);
    if (maskCrc32c(crc32c(payload)) !== view.getUint32(at + 12 + length, true)) throw corrupt('the checksum of its payload is wrong');
    yield decodeEvent(payload);
    at += 16 + length;
  }
}
