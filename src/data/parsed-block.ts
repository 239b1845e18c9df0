import { type BatchLayout, BatchSlot } from '../tensor/index.js';
import { BadWords, badListEntries } from './program.js';

/** [numDense, numGroups, features_0, hasValues_0, …]: what all blocks and slots of a run have in common. */
export function commonWords(layout: BatchLayout): Int32Array {
  const words = [layout.numDense, layout.groups.length];
  for (const group of layout.groups) words.push(group.numFeatures, group.hasValues ? 1 : 0);
  return Int32Array.from(words);
}

/** [maxExamples, maxIds_0, …]: how much one block or slot holds. */
export function shapeWords(layout: BatchLayout): Int32Array {
  return Int32Array.from([layout.maxExamples, ...layout.groups.map((group) => group.maxIds)]);
}

function layoutOf(common: Int32Array, shape: Int32Array): BatchLayout {
  return {
    maxExamples: shape[0],
    numDense: common[0],
    groups: Array.from({ length: common[1] }, (_, g) => ({
      numFeatures: common[2 + g * 2],
      hasValues: common[3 + g * 2] !== 0,
      maxIds: shape[1 + g],
    })),
  };
}

function align64(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}

/**
 * Examples of one parse call: a batch slot, one flag byte an example, and the first bad records' places. Record i of the parsed bytes is
 * example i, bad ones included. The parse thread writes it, the calling thread reads it after the parse has been reported.
 */
export class ParsedBlock {
  readonly slot: BatchSlot;
  /** [maxExamples] bits of ExampleFlag */
  readonly flags: Uint8Array;
  /** [entries, BadWords] */
  readonly bad: Int32Array;
  readonly bytes: Uint8Array;

  constructor(
    readonly buffer: SharedArrayBuffer,
    readonly common: Int32Array,
    readonly shape: Int32Array,
  ) {
    const layout = layoutOf(common, shape);
    this.slot = new BatchSlot(layout, buffer, 0);
    const flagsAt = BatchSlot.byteLength(layout);
    this.flags = new Uint8Array(buffer, flagsAt, layout.maxExamples);
    this.bad = new Int32Array(buffer, flagsAt + align64(layout.maxExamples), badListEntries * BadWords);
    this.bytes = new Uint8Array(buffer);
  }

  static byteLength(layout: BatchLayout): number {
    return BatchSlot.byteLength(layout) + align64(layout.maxExamples) + align64(badListEntries * BadWords * 4);
  }

  static allocate(layout: BatchLayout): ParsedBlock {
    return new ParsedBlock(new SharedArrayBuffer(ParsedBlock.byteLength(layout)), commonWords(layout), shapeWords(layout));
  }

  get numExamples(): number {
    return this.slot.numExamples;
  }
}

/** Most bytes that the packed form of a block's examples takes. */
export function packedBound(block: ParsedBlock): number {
  const { layout } = block.slot;
  const n = block.numExamples;
  let bytes = 128 + n * (4 + 4 + 1 + layout.numDense * 4);
  layout.groups.forEach((group, g) => {
    bytes += 128 + n * group.numFeatures * 4 + group.numFeatures * 8 + block.slot.numIds(g) * 12;
  });
  return bytes;
}
