import { MonolithError } from '../base/index.js';

/** Alignment of an allocation unless stated otherwise: one cache line, so that two allocations never share one. */
const CACHE_LINE_BYTES = 64;
/** Smallest alignment: copies between shared views whose addresses differ mod 16 fall to a fifth of the speed. */
const MIN_ALIGNMENT_BYTES = 16;

/**
 * Carves one SharedArrayBuffer into aligned ranges, once, at the start of a run. Nothing is ever given back.
 *
 * Carving is a function of the sequence of calls alone: an arena over the same buffer and base offset in another thread, asked for the
 * same things in the same order, returns the same ranges. So threads exchange the buffer and repeat the calls instead of sending offsets.
 *
 * Alignment counts from the base offset, not from byte 0. A large SharedArrayBuffer of Node starts at an address 16 mod 4096; a base offset
 * of 48 then makes every 64-byte-aligned allocation start on a real cache line. With base offset 0 the two ways of counting agree.
 */
export class Arena {
  /** Bytes from the base offset to the end of the buffer. */
  readonly capacity: number;
  #used = 0;

  /** An arena over a new buffer of `bytes` bytes. The memory is zero and is committed by the system only when first touched. */
  static create(bytes: number): Arena {
    if (!Number.isSafeInteger(bytes) || bytes < 0) {
      throw new MonolithError('InvalidArgument', `Arena.create: bytes is ${bytes}, expected an integer >= 0`, { bytes });
    }
    return new Arena(new SharedArrayBuffer(bytes));
  }

  /**
   * @param buffer     the memory to carve.
   * @param baseOffset first byte to use, a multiple of 16 (InvalidArgument otherwise); what lies before it is left alone.
   */
  constructor(
    readonly buffer: SharedArrayBuffer,
    readonly baseOffset = 0,
  ) {
    if (!Number.isSafeInteger(baseOffset) || baseOffset < 0 || baseOffset % MIN_ALIGNMENT_BYTES !== 0 || baseOffset > buffer.byteLength) {
      throw new MonolithError(
        'InvalidArgument',
        `Arena: base offset is ${baseOffset}, expected a multiple of ${MIN_ALIGNMENT_BYTES} from 0 to the buffer's ${buffer.byteLength} bytes`,
        { baseOffset, bytes: buffer.byteLength },
      );
    }
    this.capacity = buffer.byteLength - baseOffset;
  }

  /** Bytes handed out so far, padding included, counted from the base offset. */
  get used(): number {
    return this.#used;
  }

  /**
   * Reserves a range of the buffer.
   *
   * @param bytes     length, >= 0.
   * @param alignment a power of two from 16 up, counted from the base offset.
   * @param what      name of the range for the error message.
   * @returns the byte offset in the buffer (base offset included).
   * @throws ArenaFull when the range does not fit; nothing is reserved then.
   */
  allocate(bytes: number, alignment: number = CACHE_LINE_BYTES, what = 'a range'): number {
    if (!Number.isSafeInteger(bytes) || bytes < 0) {
      throw new MonolithError('InvalidArgument', `Arena.allocate: length of ${what} is ${bytes}, expected an integer >= 0`, {
        what,
        bytes,
      });
    }
    if (!Number.isSafeInteger(alignment) || alignment < MIN_ALIGNMENT_BYTES || !Number.isInteger(Math.log2(alignment))) {
      throw new MonolithError(
        'InvalidArgument',
        `Arena.allocate: alignment of ${what} is ${alignment}, expected a power of two >= ${MIN_ALIGNMENT_BYTES}`,
        { what, alignment },
      );
    }
    const start = Math.ceil(this.#used / alignment) * alignment;
    if (start + bytes > this.capacity) {
      const left = Math.max(0, this.capacity - start);
      throw new MonolithError(
        'ArenaFull',
        `Arena: ${what} needs ${bytes} bytes, ${left} of ${this.capacity} are left; create the arena with at least ${start + bytes} bytes`,
        { what, bytes, left, capacity: this.capacity },
      );
    }
    this.#used = start + bytes;
    return this.baseOffset + start;
  }

  /** A view of `length` elements on a cache line of its own; the memory is zero unless another thread has written to it. */
  int32(length: number, what = 'an Int32Array'): Int32Array<SharedArrayBuffer> {
    return new Int32Array(this.buffer, this.allocate(length * 4, CACHE_LINE_BYTES, what), length);
  }

  /** As {@link Arena.int32}. */
  float32(length: number, what = 'a Float32Array'): Float32Array<SharedArrayBuffer> {
    return new Float32Array(this.buffer, this.allocate(length * 4, CACHE_LINE_BYTES, what), length);
  }

  /** As {@link Arena.int32}. */
  float64(length: number, what = 'a Float64Array'): Float64Array<SharedArrayBuffer> {
    return new Float64Array(this.buffer, this.allocate(length * 8, CACHE_LINE_BYTES, what), length);
  }

  /** As {@link Arena.int32}. */
  bigInt64(length: number, what = 'a BigInt64Array'): BigInt64Array<SharedArrayBuffer> {
    return new BigInt64Array(this.buffer, this.allocate(length * 8, CACHE_LINE_BYTES, what), length);
  }

  /** As {@link Arena.int32}. */
  uint8(length: number, what = 'a Uint8Array'): Uint8Array<SharedArrayBuffer> {
    return new Uint8Array(this.buffer, this.allocate(length, CACHE_LINE_BYTES, what), length);
  }
}
