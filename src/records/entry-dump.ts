// Monolith's EntryDump as far as ids and numbers go: field 1 id (sfixed64), field 2 num (floats, each with its tag, as proto2 writes them).

const ID_TAG = 1 * 8 + 1;
const NUM_TAG = 2 * 8 + 5;

/** An EntryDump of an id and its numbers. */
export function entryDump(id: bigint, numbers: Float32Array): Uint8Array {
  const bytes = Buffer.allocUnsafe(9 + numbers.length * 5);
  bytes[0] = ID_TAG;
  bytes.writeBigInt64LE(BigInt.asIntN(64, id), 1);
  numbers.forEach((number, i) => {
    bytes[9 + i * 5] = NUM_TAG;
    bytes.writeFloatLE(number, 10 + i * 5);
  });
  return bytes;
}
