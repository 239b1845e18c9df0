// Criteo's binary form: 160 bytes a record. Twin of native/parsers/criteo_bin.cc.
import type { ParsedBlock } from '../parsed-block.js';
import { A, ActionWords, Bad, Op, P, type Program } from '../program.js';
import { Emitter, FULL, OK } from './emitter.js';
import { LEFT_OUT } from './filter.js';
import { log1pPositive } from './number-text.js';

const RECORD_BYTES = 160;

/** Parses bytes[0, length). */
export function parseCriteoBin(program: Program, bytes: Uint8Array, block: ParsedBlock, result: Float64Array): void {
  const out = new Emitter(program, block, result);
  const { words } = program;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const floatLabel = words[P.labelType] === 1;
  const floatDense = words[P.denseType] === 1;
  const read = (at: number, isFloat: boolean): number => (isFloat ? view.getFloat32(at, true) : view.getInt32(at, true));
  const actions = words[P.actionsAt];
  const actionsEnd = actions + words[P.numActions] * ActionWords;
  let at = 0;
  let full = false;
  while (at < bytes.length) {
    if (!out.hasRoom) {
      full = true;
      break;
    }
    out.begin();
    if (bytes.length - at < RECORD_BYTES) {
      out.markBad(Bad.truncated, at, 0, 0, at, bytes.length, bytes.length - at);
      at = bytes.length;
      break;
    }
    let code = out.setLabel(read(at, floatLabel));
    let column = 0;
    for (let a = actions; code === OK && a < actionsEnd; a += ActionWords) {
      column = words[a + A.column];
      const cell = at + column * 4;
      const op = words[a + A.op];
      if (op === Op.numeric) {
        const value = read(cell, floatDense);
        out.setDense(words[a + A.dense], floatDense ? value : log1pPositive(value));
      } else if (op === Op.categorical) {
        code = out.push(words[a + A.group], words[a + A.slot], view.getUint32(cell, true), 0, 1);
        if (code === OK) code = out.endBag(words[a + A.group], words[a + A.index]);
      } else if (op === Op.filter) {
        const isId = column > 13;
        out.filter.begin();
        out.filter.value(a, null, isId ? view.getUint32(cell, true) : read(cell, column === 0 ? floatLabel : floatDense));
        code = out.filter.end(a);
      } else if (op === Op.crossPart) {
        if (words[a + A.transform] === Op.categorical) code = out.crossId(a, view.getUint32(cell, true), 0);
        else code = out.crossNumber(a, read(cell, floatDense));
      } else code = out.bucket(a, false, read(cell, floatDense));
    }
    if (code === FULL) {
      full = true;
      break;
    }
    if (code === OK) out.good();
    else if (code === LEFT_OUT) out.leaveOut();
    else out.markBad(code, at, 0, column, at, at + RECORD_BYTES, 0);
    at += RECORD_BYTES;
  }
  out.finish(at, 0, full);
}
