import { type Cursor, type ErrorCode, MonolithError, readVarint, varintLength, writeVarint } from '../../base/index.js';
import { fieldBytes, skipField } from './frame.js';

// The rare messages of protos/shard_stream.proto: written and read field by field from one table each.

/** Raised when frames change so that both ends must know. */
export const PROTOCOL_VERSION = 1;

export type Hello = {
  readonly protocol: number;
  readonly job: string;
  readonly worker: number;
  readonly shard: number;
  readonly firstSequence: number;
  readonly appliedSequence: number;
  readonly answeredSequence: number;
};

export type Welcome = { readonly protocol: number; readonly appliedSequence: number; readonly heldSequence: number };

export type Failure = { readonly error: MonolithError; readonly retry: boolean };

export type ControlPiece = {
  readonly json: string;
  readonly data: Uint8Array;
  readonly last: boolean;
  readonly failure: Failure | null;
};

const EMPTY = new Uint8Array(0);

type Field = number | string | Uint8Array;

export function encodeHello(hello: Hello): Uint8Array {
  const { protocol, job, worker, shard, firstSequence, appliedSequence, answeredSequence } = hello;
  return encodeFields([protocol, job, worker, shard, firstSequence, appliedSequence, answeredSequence]);
}

/** @throws RecordCorrupt for bytes that are no such message; so do the other readers. */
export function decodeHello(bytes: Uint8Array): Hello {
  const fields = decodeFields(bytes);
  return {
    protocol: numberAt(fields, 1),
    job: textAt(fields, 2),
    worker: numberAt(fields, 3),
    shard: numberAt(fields, 4),
    firstSequence: numberAt(fields, 5),
    appliedSequence: numberAt(fields, 6),
    answeredSequence: numberAt(fields, 7),
  };
}

export function encodeWelcome({ protocol, appliedSequence, heldSequence }: Welcome): Uint8Array {
  return encodeFields([protocol, appliedSequence, heldSequence]);
}

export function decodeWelcome(bytes: Uint8Array): Welcome {
  const fields = decodeFields(bytes);
  return { protocol: numberAt(fields, 1), appliedSequence: numberAt(fields, 2), heldSequence: numberAt(fields, 3) };
}

export function encodeFailure({ error, retry }: Failure): Uint8Array {
  const { code, message, details } = error;
  return encodeFields([code, message, JSON.stringify(details), retry ? 1 : 0]);
}

export function decodeFailure(bytes: Uint8Array): Failure {
  const fields = decodeFields(bytes);
  const details = textAt(fields, 3);
  return {
    error: new MonolithError(textAt(fields, 1) as ErrorCode, textAt(fields, 2), details === '' ? {} : parseDetails(details)),
    retry: numberAt(fields, 4) !== 0,
  };
}

export function encodeControlPiece({ json, data, last, failure }: ControlPiece): Uint8Array {
  return encodeFields([json, data, last ? 1 : 0, failure === null ? EMPTY : encodeFailure(failure)]);
}

/** `data` is a view of `bytes`. */
export function decodeControlPiece(bytes: Uint8Array): ControlPiece {
  const fields = decodeFields(bytes);
  const failure = fields.get(4);
  return {
    json: textAt(fields, 1),
    data: bytesAt(fields, 2),
    last: numberAt(fields, 3) !== 0,
    failure: failure === undefined ? null : decodeFailure(bytesAt(fields, 4)),
  };
}

function parseDetails(json: string): MonolithError['details'] {
  try {
    return JSON.parse(json) as MonolithError['details'];
  } catch {
    return {};
  }
}

/** Fields 1, 2, 3 … of a message; zeros and empty ones are left out, as proto3 does. */
function encodeFields(fields: readonly Field[]): Uint8Array {
  const values = fields.map((field) => (typeof field === 'string' ? new TextEncoder().encode(field) : field));
  let length = 0;
  for (const value of values) length += typeof value === 'number' ? 1 + varintLength(value) : 6 + value.length;
  const out = Buffer.allocUnsafe(length);
  let at = 0;
  values.forEach((value, i) => {
    if (typeof value === 'number') {
      if (value === 0) return;
      out[at++] = (i + 1) << 3;
      at = writeVarint(value, out, at);
    } else if (value.length > 0) {
      out[at++] = ((i + 1) << 3) | 2;
      at = writeVarint(value.length, out, at);
      out.set(value, at);
      at += value.length;
    }
  });
  return out.subarray(0, at);
}

function decodeFields(bytes: Uint8Array): Map<number, number | Uint8Array> {
  const fields = new Map<number, number | Uint8Array>();
  const cursor: Cursor = { offset: 0 };
  while (cursor.offset < bytes.length) {
    const tag = readVarint(bytes, cursor);
    if ((tag & 7) === 0) fields.set(tag >>> 3, readVarint(bytes, cursor));
    else if ((tag & 7) === 2) fields.set(tag >>> 3, fieldBytes(bytes, cursor, bytes.length));
    else skipField(bytes, cursor, tag, bytes.length);
  }
  return fields;
}

function numberAt(fields: Map<number, number | Uint8Array>, field: number): number {
  const value = fields.get(field) ?? 0;
  if (typeof value === 'number') return value;
  throw new MonolithError('RecordCorrupt', `message: field ${field} is of bytes, expected a number`, { field });
}

function bytesAt(fields: Map<number, number | Uint8Array>, field: number): Uint8Array {
  const value = fields.get(field) ?? EMPTY;
  if (typeof value !== 'number') return value;
  throw new MonolithError('RecordCorrupt', `message: field ${field} is a number, expected bytes`, { field });
}

function textAt(fields: Map<number, number | Uint8Array>, field: number): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytesAt(fields, field));
  } catch (error) {
    throw new MonolithError('RecordCorrupt', `message: field ${field} is not UTF-8 text`, { field }, { cause: error });
  }
}
