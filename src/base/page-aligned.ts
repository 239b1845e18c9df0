const PAGE_OF_WASM = 65_536;

/** What is used of it here: TypeScript knows it only together with everything else of a browser. */
type WithMemory = {
  readonly WebAssembly: { Memory: new (size: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer } };
};

/**
 * Memory of at least so many bytes, zeros, that begins on a page: what a write past the page cache needs (DurableWriter.appendDirect). The memory of
 * WebAssembly is mapped by itself, so it does; where there is none to be had it is an ordinary buffer, which serves as well and costs a copy.
 */
export function pageAlignedBuffer(bytes: number): ArrayBuffer {
  const pages = Math.ceil(bytes / PAGE_OF_WASM);
  try {
    return new (globalThis as unknown as WithMemory).WebAssembly.Memory({ initial: pages, maximum: pages }).buffer;
  } catch {
    return new ArrayBuffer(bytes);
  }
}
