// LZ4 frames, as Arrow compresses buffers. Blocks may refer to what came before them in the frame.

const MAGIC = 0x184d2204;
const Flags = { version: 0x40, contentChecksum: 4, contentSize: 8, blockChecksum: 16, dictionary: 1 } as const;

/** Decompresses one frame into exactly `length` bytes. @throws Error. */
export function decompressLz4Frame(bytes: Uint8Array, length: number): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 7 || view.getUint32(0, true) !== MAGIC) throw new Error('it is no LZ4 frame');
  const flags = bytes[4];
  if ((flags & 0xc0) !== Flags.version) throw new Error('an LZ4 frame of another version');
  if ((flags & Flags.dictionary) !== 0) throw new Error('an LZ4 frame with a dictionary');
  let at = 7 + ((flags & Flags.contentSize) !== 0 ? 8 : 0);
  const out = new Uint8Array(length);
  let end = 0;
  for (;;) {
    if (at + 4 > bytes.length) throw new Error('an LZ4 frame is cut off');
    const head = view.getUint32(at, true);
    at += 4;
    if (head === 0) break;
    const size = head & 0x7fffffff;
    if (size > bytes.length - at) throw new Error('an LZ4 block is cut off');
    const block = bytes.subarray(at, at + size);
    if (head >>> 31 === 1) {
      if (size > length - end) throw new Error(`more than ${length} bytes come out`);
      out.set(block, end);
      end += size;
    } else end = decompressBlock(block, out, end);
    at += size + ((flags & Flags.blockChecksum) !== 0 ? 4 : 0);
  }
  if (end !== length) throw new Error(`${end} bytes decompressed, ${length} expected`);
  return out;
}

function decompressBlock(block: Uint8Array, out: Uint8Array, start: number): number {
  let at = 0;
  let end = start;
  const longer = (length: number): number => {
    let sum = length;
    for (let byte = 255; byte === 255; sum += byte) {
      if (at >= block.length) throw new Error('an LZ4 length is cut off');
      byte = block[at++];
    }
    return sum;
  };
  while (at < block.length) {
    const token = block[at++];
    let literals = token >> 4;
    if (literals === 15) literals = longer(literals);
    if (literals > block.length - at || literals > out.length - end) throw new Error('LZ4 literals are too long');
    out.set(block.subarray(at, at + literals), end);
    at += literals;
    end += literals;
    if (at === block.length) break;
    if (at + 2 > block.length) throw new Error('an LZ4 offset is cut off');
    const offset = block[at] | (block[at + 1] << 8);
    at += 2;
    let length = token & 15;
    if (length === 15) length = longer(length);
    length += 4;
    if (offset === 0 || offset > end || length > out.length - end) throw new Error('an LZ4 match points outside');
    for (let i = 0; i < length; i++) out[end + i] = out[end + i - offset];
    end += length;
  }
  return end;
}
