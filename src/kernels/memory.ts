import { loadAddon } from './native/load.js';

type MemoryAddon = { memoryLineOffset(bytes: Uint8Array): number; memoryPopulate(bytes: Uint8Array): void };

function memoryAddon(): MemoryAddon | null {
  return loadAddon().addon as unknown as MemoryAddon | null;
}

/**
 * Bytes from the start of `memory` to its first 64-byte cache line: V8 places shared memory at multiples of 16 only, and a row of 64 bytes
 * that straddles two lines costs two. The same in every thread of the process; 0 without the addon.
 */
export function lineOffset(memory: SharedArrayBuffer): number {
  return memoryAddon()?.memoryLineOffset(new Uint8Array(memory)) ?? 0;
}

/** Makes the pages of `memory` present before a hot path meets them one fault at a time. Best effort; nothing without the addon. */
export function populateMemory(memory: SharedArrayBuffer): void {
  memoryAddon()?.memoryPopulate(new Uint8Array(memory));
}
