import { createRequire } from 'node:module';

const { compress: snappyCompress } = createRequire(import.meta.url)('snappyjs') as { compress(bytes: Uint8Array): Uint8Array };

/** A raw snappy block. */
export function compress(bytes: Uint8Array): Uint8Array {
  return snappyCompress(new Uint8Array(bytes));
}
