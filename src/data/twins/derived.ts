// Ids that are computed from values rather than hashed from one text. Twin of native/parsers/derived.h.
import { writeHashedFid } from '../../base/index.js';
import { A, Log2Squared, Op, type Program } from '../program.js';
import { naturalLog } from './number-text.js';

/** The bucket of a number; `op` is that of the bucketized feature, its constants those of the action at word `a`. */
export function bucketOf({ words, constants }: Program, op: number, a: number, missing: boolean, value: number): number {
  const nothingThere = missing || Number.isNaN(value);
  if (op === Op.log2squared) {
    if (nothingThere) return Log2Squared.missing;
    if (!(value > 2)) return Log2Squared.smallOffset + Math.max(Math.trunc(value), Log2Squared.smallest);
    const log = naturalLog(value);
    return Log2Squared.largeOffset + Math.min(Math.floor(log * log), Log2Squared.largest);
  }
  const first = words[a + A.constantFirst];
  const count = words[a + A.constantCount];
  if (nothingThere) return count + 1;
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (constants[first + middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The ids of the parts of one cross, as they come. */
export class CrossIds {
  /** [parts] 48-bit ids, 8 bytes each, little-endian */
  readonly bytes: Uint8Array;
  missing = false;
  private readonly words: Uint32Array;

  constructor(parts: number) {
    this.words = new Uint32Array(parts * 2);
    this.bytes = new Uint8Array(this.words.buffer);
  }

  /** Takes part `k`: the text bytes[start, end). */
  addText(k: number, bytes: Uint8Array, start: number, end: number): void {
    writeHashedFid(0, bytes, start, end, this.words, k * 2);
  }

  /** Takes part `k`: an id of which the low 48 bits count. */
  addId(k: number, low: number, high: number): void {
    this.words[k * 2] = low;
    this.words[k * 2 + 1] = high & 0xffff;
  }
}
