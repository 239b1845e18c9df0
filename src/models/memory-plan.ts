/** One buffer of a chunk: how long it is and from when to when it holds something (both ends included, in steps of the plan). */
export type BufferRequest = { readonly length: number; readonly start: number; readonly end: number };

export type MemoryPlan = {
  /** Offset in floats of each request, in order of the requests. */
  readonly offsets: readonly number[];
  /** Floats of the whole arena. */
  readonly length: number;
};

/** Offsets are multiples of 16 floats: one cache line, one AVX-512 register. */
const ALIGNMENT = 16;

/**
 * Places buffers in one arena so that two that live at the same time never overlap. Longest first, each at the lowest place that is free
 * over its whole life ("greedy by size", Pisarchyk & Lee, arXiv 2001.03288). With `reuse` false every buffer gets memory of its own.
 * Equal requests give equal plans.
 */
export function planMemory(requests: readonly BufferRequest[], reuse: boolean): MemoryPlan {
  const offsets = new Array<number>(requests.length).fill(0);
  let length = 0;
  if (!reuse) {
    requests.forEach((request, i) => {
      offsets[i] = length;
      length += align(request.length);
    });
    return { offsets, length };
  }
  const order = requests.map((_, i) => i).sort((a, b) => lengthOf(requests, b) - lengthOf(requests, a) || a - b);
  const placed: number[] = [];
  for (const i of order) {
    const request = requests[i];
    const offset = lowestFree(request, requests, placed, offsets);
    offsets[i] = offset;
    length = Math.max(length, offset + align(request.length));
    placed.push(i);
    placed.sort((a, b) => offsets[a] - offsets[b]);
  }
  return { offsets, length };
}

/** First offset at which the request meets no placed buffer of the same time; `placed` is in order of offsets. */
function lowestFree(
  request: BufferRequest,
  requests: readonly BufferRequest[],
  placed: readonly number[],
  offsets: readonly number[],
): number {
  let offset = 0;
  for (const j of placed) {
    const other = requests[j];
    if (other.start > request.end || other.end < request.start) continue;
    const otherOffset = offsets[j];
    if (otherOffset >= offset + align(request.length)) break;
    offset = Math.max(offset, otherOffset + align(other.length));
  }
  return offset;
}

function lengthOf(requests: readonly BufferRequest[], i: number): number {
  return requests[i]?.length ?? 0;
}

function align(length: number): number {
  return Math.ceil(length / ALIGNMENT) * ALIGNMENT;
}
