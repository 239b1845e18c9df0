import { MonolithError } from '../base/index.js';

/** A checked Int32 view over the bytes of one primitive; the door at which every offset of this room is checked. */
export function controlWords(where: string, buffer: SharedArrayBuffer, byteOffset: number, bytes: number): Int32Array<SharedArrayBuffer> {
  if (!(buffer instanceof SharedArrayBuffer)) {
    throw new MonolithError(
      'InvalidArgument',
      `${where}: buffer is no SharedArrayBuffer; ordinary memory cannot be shared between threads`,
      {
        where,
      },
    );
  }
  if (!Number.isSafeInteger(byteOffset) || byteOffset < 0 || byteOffset % 16 !== 0) {
    throw new MonolithError('InvalidArgument', `${where}: byte offset is ${byteOffset}, expected a multiple of 16, >= 0`, {
      where,
      byteOffset,
    });
  }
  if (byteOffset + bytes > buffer.byteLength) {
    throw new MonolithError(
      'InvalidArgument',
      `${where}: needs ${bytes} bytes from offset ${byteOffset}, but the buffer ends at ${buffer.byteLength}; reserve ${where}.byteLength bytes`,
      { where, byteOffset, bytes, bufferBytes: buffer.byteLength },
    );
  }
  return new Int32Array(buffer, byteOffset, bytes / 4);
}

/** Refuses a poison code that does not fit a state word: state holds its negative, 0 and 1 mean open and closed. */
export function requirePoisonCode(where: string, code: number): void {
  if (!Number.isInteger(code) || code < 1 || code > 0x7fff_ffff) {
    throw new MonolithError('InvalidArgument', `${where}: code is ${code}, expected an integer from 1 to 2147483647`, { where, code });
  }
}
