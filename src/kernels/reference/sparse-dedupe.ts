import { MonolithError, shapeMismatch } from '../../base/index.js';

const GOLDEN = 0x9e3779b1;

function numSlots(nnz: number): number {
  let slots = 16;
  while (slots < 2 * nnz) slots *= 2;
  return slots;
}

/** Int32 that {@link dedupe} wants for up to nnz ids: slots, and 3 per id for grouping. */
export function dedupeScratchLength(nnz: number): number {
  return numSlots(nnz) + 3 * nnz;
}

/** floorMod(fid, shards) of a signed 64-bit number in two halves, without BigInt. */
function shardOf(low: number, high: number, shards: number): number {
  // high is signed: (high · 2^32 + low) mod shards, step by step below 2^53.
  const highModulo = ((high % shards) + shards) % shards;
  return (((highModulo * (4294967296 % shards)) % shards) + ((low >>> 0) % shards)) % shards;
}

/** Twin of the native dedupe: the same numbering, the same scratch: slots that hold the number of a distinct id or −1, then its work space. */
export function dedupe(
  fids: BigInt64Array,
  nnz: number,
  numShards: number,
  unique: BigInt64Array,
  inverse: Int32Array,
  shardOffsets: Int32Array,
  scratch: Int32Array,
): number {
  if (!Number.isInteger(nnz) || nnz < 0 || nnz > 1 << 30) throw shapeMismatch('dedupe', 'nnz', 1 << 30, nnz);
  if (!Number.isInteger(numShards) || numShards < 1 || numShards > 1 << 20) {
    throw new MonolithError('InvalidArgument', `dedupe: numShards is ${numShards}, expected 1 to 2^20`, { numShards });
  }
  if (fids.length < nnz) throw shapeMismatch('dedupe', 'fids', nnz, fids.length);
  if (unique.length < nnz) throw shapeMismatch('dedupe', 'unique', nnz, unique.length);
  if (inverse.length < nnz) throw shapeMismatch('dedupe', 'inverse', nnz, inverse.length);
  if (shardOffsets.length < numShards + 1) throw shapeMismatch('dedupe', 'shardOffsets', numShards + 1, shardOffsets.length);
  if (scratch.length < dedupeScratchLength(nnz)) throw shapeMismatch('dedupe', 'scratch', dedupeScratchLength(nnz), scratch.length);
  const mask = numSlots(nnz) - 1;
  scratch.fill(-1, 0, mask + 1);
  const words = new Int32Array(fids.buffer, fids.byteOffset, 2 * nnz);
  const tail = scratch.length - 3 * nnz;
  let n = 0;
  for (let i = 0; i < nnz; i++) {
    const low = words[2 * i];
    const high = words[2 * i + 1];
    let hash = Math.imul(low ^ Math.imul(high, 0x85ebca6b), GOLDEN);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    hash = Math.imul(hash ^ (hash >>> 12), 0x297a2d39);
    let position = (hash ^ (hash >>> 15)) & mask;
    for (;;) {
      const number = scratch[position];
      if (number < 0) {
        scratch[position] = n;
        // Place of its first occurrence, then its shard's place below.
        scratch[tail + n] = i;
        inverse[i] = n++;
        break;
      }
      const first = scratch[tail + number];
      if (words[2 * first] === low && words[2 * first + 1] === high) {
        inverse[i] = number;
        break;
      }
      position = (position + 1) & mask;
    }
  }
  shardOffsets.fill(0, 0, numShards + 1);
  for (let u = 0; u < n; u++) {
    const first = scratch[tail + u];
    const shard = shardOf(words[2 * first], words[2 * first + 1], numShards);
    scratch[tail + nnz + u] = shard;
    shardOffsets[shard + 1]++;
  }
  for (let s = 0; s < numShards; s++) shardOffsets[s + 1] += shardOffsets[s];
  for (let u = 0; u < n; u++) {
    const place = shardOffsets[scratch[tail + nnz + u]]++;
    unique[place] = fids[scratch[tail + u]];
    scratch[tail + u] = place;
  }
  shardOffsets.copyWithin(1, 0, numShards);
  shardOffsets[0] = 0;
  for (let i = 0; i < nnz; i++) inverse[i] = scratch[tail + inverse[i]];
  return n;
}
