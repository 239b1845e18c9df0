// TFRecord framing around tf.train.Example. Twin of native/parsers/example.cc (parse_tfrecord).
import { nextFrame, payloadOk } from '../cut.js';
import type { ParsedBlock } from '../parsed-block.js';
import { Bad, P, type Program } from '../program.js';
import { Emitter, FULL, OK } from './emitter.js';
import { ExampleParser } from './example.js';
import { LEFT_OUT } from './filter.js';

const FRAME_HEADER = 12;

/** Parses bytes[0, length). */
export function parseTfrecord(program: Program, bytes: Uint8Array, block: ParsedBlock, result: Float64Array): void {
  const out = new Emitter(program, block, result);
  const parser = new ExampleParser(program, out, bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const maxRecord = program.words[P.maxRecord];
  const { length } = bytes;
  let at = 0;
  let full = false;
  while (at < length) {
    if (!out.hasRoom) {
      full = true;
      break;
    }
    out.begin();
    const frame = nextFrame(bytes, view, at, length, maxRecord);
    const next = frame.next < 0 ? length : frame.next;
    let code: number = frame.state === 'good' ? OK : Bad[frame.state];
    if (code === OK && !payloadOk(bytes, view, at, next - at - 16)) code = Bad.dataCrc;
    let column = 0;
    let extra = 0;
    if (code === OK) {
      code = parser.parse(at + FRAME_HEADER, next - 4);
      column = parser.column;
      extra = parser.extra;
      if (code === FULL) {
        full = true;
        break;
      }
    }
    if (code === OK) out.good();
    else if (code === LEFT_OUT) out.leaveOut();
    else out.markBad(code, at, 0, column, at, next, extra);
    at = next;
  }
  out.finish(at, 0, full);
}
