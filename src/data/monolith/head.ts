import type { PipelineOptions } from '../options.js';
import { FieldReader } from '../twins/field-reader.js';
import { FrameState, framePlaces, walkFrame } from './framing.js';

/** A guess where the first message is not whole in the head. */
const USUAL_BYTES = 512;

/** Bytes of one example, by the first message of a file's head. */
export function exampleBytes(head: Uint8Array, format: string, { framing, bareMessage, maxRecordBytes }: PipelineOptions): number {
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const places = framePlaces();
  if (bareMessage) places.end = head.length;
  else if (walkFrame(view, 0, head.length, framing, maxRecordBytes, places) !== FrameState.good) return USUAL_BYTES;
  const bytes = Math.max(places.end, 16);
  if (format === 'instance' || format === 'example') return bytes;
  const reader = new FieldReader(head);
  let examples = 0;
  for (let p = places.payload; p >= 0 && p < places.end; ) {
    p = reader.next(p, places.end);
    // ExampleBatch: field 3 is the number of examples; ExampleBatchRowMajor: each field 3 is one.
    if (p < 0 || reader.number !== 3) continue;
    examples = format === 'example-batch' ? reader.low : examples + 1;
  }
  return Math.max(16, bytes / Math.max(1, examples));
}
