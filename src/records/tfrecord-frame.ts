import { maskedCrc32c } from '../base/index.js';

/** A payload between the header and the footer of a TFRecord. */
export function tfrecordFrame(payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(payload.length + 16);
  frame.writeBigUInt64LE(BigInt(payload.length), 0);
  frame.writeUInt32LE(maskedCrc32c(frame.subarray(0, 8)), 8);
  frame.set(payload, 12);
  frame.writeUInt32LE(maskedCrc32c(payload), 12 + payload.length);
  return frame;
}
