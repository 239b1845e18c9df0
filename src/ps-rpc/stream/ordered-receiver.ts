import { MonolithError } from '../../base/index.js';
import { FrameReader, MOST_FRAME_BYTES } from './frame.js';

/** Frames and bytes that may wait for one that is missing. */
const MOST_HELD = 4096;
const MOST_HELD_BYTES = 64 << 20;

/** Takes the frames of one direction of a stream strictly in the order of their numbers, each once, whatever arrives. */
export class OrderedReceiver {
  private next = 1;
  private readonly early = new Map<number, Uint8Array>();
  private earlyBytes = 0;
  private readonly reader = new FrameReader();

  /** @param take gets each frame in its turn; the reader is good during the call. */
  constructor(private readonly take: (frame: FrameReader) => void) {}

  /** @throws RecordCorrupt for bytes that are no frame, ResourceExhausted when too much is early; and what `take` throws. */
  receive(message: Uint8Array): void {
    if (message.length > MOST_FRAME_BYTES) {
      throw new MonolithError('RecordCorrupt', `stream: a frame of ${message.length} bytes, expected at most ${MOST_FRAME_BYTES}`);
    }
    const { reader } = this;
    reader.read(message);
    if (reader.number < this.next || this.early.has(reader.number)) return;
    if (reader.number > this.next) {
      this.hold(reader.number, message);
      return;
    }
    this.next++;
    this.take(reader);
    for (let held = this.early.get(this.next); held !== undefined; held = this.early.get(this.next)) {
      this.early.delete(this.next);
      this.earlyBytes -= held.length;
      this.next++;
      reader.read(held);
      this.take(reader);
    }
  }

  private hold(number: number, message: Uint8Array): void {
    if (this.early.size >= MOST_HELD || this.earlyBytes + message.length > MOST_HELD_BYTES) {
      throw new MonolithError(
        'ResourceExhausted',
        `stream: ${this.early.size} frames (${this.earlyBytes} bytes) wait for frame ${this.next}, which does not come; the stream must begin anew`,
        { next: this.next, held: this.early.size, heldBytes: this.earlyBytes },
      );
    }
    this.early.set(number, Uint8Array.from(message));
    this.earlyBytes += message.length;
  }
}
