// A parsed block's examples in few bytes, and back: the body of a data cache (docs/formats/data.md). Twin of native/parsers/pack.cc.
import { crc32c, MonolithError } from '../../base/index.js';
import { type BatchGroup, BatchHeader } from '../../tensor/index.js';
import { UnpackResult } from '../native-parsers.js';
import { ParsedBlock } from '../parsed-block.js';

const PackedWeights = 1;
const PackedFlags = 2;
const Lengths = { one: 0, bytes: 1, words: 2 } as const;
const Ids = { whole: 0, low32: 1, low48: 2 } as const;
const GroupValues = 16;

function padded(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}

/** See PackBlock. */
export function packBlock(common: Int32Array, shape: Int32Array, memory: Uint8Array, out: Uint8Array, result: Float64Array): void {
  const block = new ParsedBlock(memory.buffer as SharedArrayBuffer, common, shape);
  const { labels, weights, dense, groups, layout } = block.slot;
  const n = block.numExamples;
  const hasWeights = weights.subarray(0, n).some((weight) => weight !== 1);
  const hasFlags = block.flags.subarray(0, n).some((flag) => flag !== 0);
  const to = new Sections(out);
  to.append(Uint32Array.of(n, (hasWeights ? PackedWeights : 0) | (hasFlags ? PackedFlags : 0)));
  to.append(labels.subarray(0, n));
  if (hasWeights) to.append(weights.subarray(0, n));
  if (hasFlags) to.append(block.flags.subarray(0, n));
  to.append(dense.subarray(0, n * layout.numDense));
  groups.forEach((group, g) => {
    packGroup(group, n, layout.groups[g].numFeatures, to);
  });
  result[0] = to.at;
  result[1] = crc32c(out.subarray(0, to.at));
}

function packGroup(group: BatchGroup, n: number, features: number, to: Sections): void {
  const { fids, offsets, values } = group;
  const bags = n * features;
  const ids = offsets[bags];
  let longest = 0;
  let regular = true;
  for (let b = 0; b < bags; b++) {
    longest = Math.max(longest, offsets[b + 1] - offsets[b]);
    if (offsets[b + 1] !== offsets[b] + 1) regular = false;
  }
  const lengths = regular ? Lengths.one : longest > 255 ? Lengths.words : Lengths.bytes;
  const halves = new Uint32Array(fids.buffer, fids.byteOffset, ids * 2);
  const form = regular && n > 0 ? idForm(halves, features) : Ids.whole;
  const hasValues = values?.subarray(0, ids).some((value) => value !== 1) ?? false;
  to.append(Uint32Array.of(lengths | (form << 2) | (hasValues ? GroupValues : 0), ids));
  if (lengths !== Lengths.one) {
    const all = lengths === Lengths.bytes ? new Uint8Array(bags) : new Int32Array(bags);
    for (let b = 0; b < bags; b++) all[b] = offsets[b + 1] - offsets[b];
    to.append(all);
  }
  if (form === Ids.whole) to.append(fids.subarray(0, ids));
  else {
    const bases = halves.slice(0, features * 2);
    for (let j = 0; j < features; j++) {
      bases[j * 2] = 0;
      if (form === Ids.low48) bases[j * 2 + 1] &= 0xffff0000;
    }
    to.append(bases);
    if (form === Ids.low32) to.append(Uint32Array.from({ length: ids }, (_, i) => halves[i * 2]));
    else {
      const words = new Uint16Array(fids.buffer, fids.byteOffset, ids * 4);
      to.append(Uint16Array.from({ length: ids * 3 }, (_, i) => words[Math.floor(i / 3) * 4 + (i % 3)]));
    }
  }
  if (hasValues && values !== null) to.append(values.subarray(0, ids));
}

/** How the ids of a regular group are stored: by what they share, feature by feature. */
function idForm(halves: Uint32Array, features: number): number {
  let differ = 0;
  for (let i = features; i < halves.length / 2; i++) differ |= halves[i * 2 + 1] ^ halves[(i % features) * 2 + 1];
  return differ === 0 ? Ids.low32 : differ >>> 0 <= 0xffff ? Ids.low48 : Ids.whole;
}

/** See UnpackBlock. */
export function unpackBlock(
  packed: Uint8Array,
  start: number,
  length: number,
  checksum: number,
  common: Int32Array,
  shape: Int32Array,
  memory: Uint8Array,
): number {
  const bytes = packed.slice(start, start + length);
  if (crc32c(bytes) !== checksum) return UnpackResult.checksum;
  const block = new ParsedBlock(memory.buffer as SharedArrayBuffer, common, shape);
  try {
    unpackInto(block, new Sections(bytes));
    return UnpackResult.good;
  } catch (error) {
    if (error instanceof Malformed) return UnpackResult.malformed;
    throw error;
  }
}

function unpackInto(block: ParsedBlock, from: Sections): void {
  const { slot, flags } = block;
  const { labels, weights, dense, layout, header } = slot;
  const [n, bits] = new Uint32Array(from.take(8));
  if (n > layout.maxExamples) throw new Malformed();
  labels.set(new Float32Array(from.take(n * 4)));
  weights.fill(1, 0, n);
  if ((bits & PackedWeights) !== 0) weights.set(new Float32Array(from.take(n * 4)));
  flags.fill(0, 0, n);
  if ((bits & PackedFlags) !== 0) flags.set(new Uint8Array(from.take(n)));
  dense.set(new Float32Array(from.take(n * layout.numDense * 4)));
  header.fill(0);
  slot.groups.forEach((group, g) => {
    header[BatchHeader.ids + g] = unpackGroup(group, n, layout.groups[g].numFeatures, layout.groups[g].maxIds, from);
  });
  if (!from.ended) throw new Malformed();
  header[BatchHeader.numExamples] = n;
  header[BatchHeader.globalExamples] = n;
}

function unpackGroup({ fids, offsets, values }: BatchGroup, n: number, features: number, maxIds: number, from: Sections): number {
  const bags = n * features;
  const [head, ids] = new Uint32Array(from.take(8));
  const lengths = head & 3;
  const form = (head >> 2) & 3;
  const hasValues = (head & GroupValues) !== 0;
  if (ids > maxIds || lengths > Lengths.words || form > Ids.low48 || (hasValues && values === null)) throw new Malformed();
  if (lengths === Lengths.one ? ids !== bags : form !== Ids.whole) throw new Malformed();
  offsets[0] = 0;
  if (lengths === Lengths.one) for (let b = 1; b <= bags; b++) offsets[b] = b;
  else {
    const all = lengths === Lengths.bytes ? new Uint8Array(from.take(bags)) : new Int32Array(from.take(bags * 4));
    all.forEach((bag, b) => {
      offsets[b + 1] = offsets[b] + bag;
      if (bag < 0 || offsets[b + 1] > ids) throw new Malformed();
    });
    if (offsets[bags] !== ids) throw new Malformed();
  }
  if (form === Ids.whole) fids.set(new BigInt64Array(from.take(ids * 8)));
  else {
    const bases = new Uint32Array(from.take(features * 8));
    const low = form === Ids.low32 ? new Uint32Array(from.take(ids * 4)) : new Uint16Array(from.take(ids * 6));
    const halves = new Uint32Array(fids.buffer, fids.byteOffset, ids * 2);
    for (let i = 0; i < ids; i++) {
      const j = i % features;
      halves[i * 2] = form === Ids.low32 ? low[i] : low[i * 3] | (low[i * 3 + 1] << 16);
      halves[i * 2 + 1] = bases[j * 2 + 1] | (form === Ids.low32 ? 0 : low[i * 3 + 2]);
    }
  }
  values?.fill(1, 0, ids);
  if (hasValues) values?.set(new Float32Array(from.take(ids * 4)));
  return ids;
}

class Malformed extends Error {}

/** Sections of eight bytes each over a buffer, written or read one after another. */
class Sections {
  at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  append(content: ArrayBufferView): void {
    const end = this.at + padded(content.byteLength);
    if (end > this.bytes.length) throw new MonolithError('Internal', 'packBlock: the buffer is too short');
    this.bytes.fill(0, this.at, end);
    this.bytes.set(new Uint8Array(content.buffer, content.byteOffset, content.byteLength), this.at);
    this.at = end;
  }

  /** A copy of the next bytes. */
  take(length: number): ArrayBuffer {
    const end = this.at + padded(length);
    if (end > this.bytes.length) throw new Malformed();
    const copy = new Uint8Array(length);
    copy.set(this.bytes.subarray(this.at, this.at + length));
    this.at = end;
    return copy.buffer;
  }

  get ended(): boolean {
    return this.at === this.bytes.length;
  }
}
