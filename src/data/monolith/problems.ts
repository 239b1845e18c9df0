// What is wrong with a record of Monolith's formats, in words.
import { Bad, P, type Program } from '../program.js';
import { valueTypeNames } from './columns.js';
import { framingOf } from './cut.js';
import { defaultFraming, FrameState, frameProblem, framingHint } from './framing.js';

type BadPlace = { readonly code: number; readonly column: number; readonly extra: number; readonly token: Uint8Array };

/** Null for codes that mean the same in all formats. `corrupt`: bytes are damaged, not their meaning wrong. */
export function monolithProblem(program: Program, bad: BadPlace, column: string | null): { corrupt: boolean; text: string } | null {
  const data = (text: string): { corrupt: boolean; text: string } => ({ corrupt: false, text });
  switch (bad.code) {
    case Bad.truncated:
    case Bad.frame: {
      const { token } = bad;
      const known = token.length >= 8;
      const length = known ? Number(new DataView(token.buffer, token.byteOffset, token.length).getBigUint64(0, true)) : 8;
      const state = bad.code === Bad.frame ? bad.extra : FrameState.truncated;
      const problem = frameProblem(state, length, program.words[P.maxRecord]);
      return { corrupt: true, text: `${problem}, ${bad.column} bytes into it. ${framingHint(framingOf(program) ?? defaultFraming)}` };
    }
    case Bad.message:
      return data('is no such message of Monolith (malformed protocol buffer). Are format and framing right?');
    case Bad.fid:
      return data(`column "${column}": a fid of layout v2 has bit 63 set. Likely cause: it is of layout v1, in a field for v2`);
    case Bad.kind:
      return data(
        `column "${column}" holds ${valueTypeNames[bad.extra]}: fids, integers and bytes are for categorical features, numbers for numeric and bucketized ones`,
      );
    case Bad.tooManyValues:
      return data(`column "${column}" holds ${bad.extra} values, one was expected. Choose one: ${column}[0]`);
    case Bad.batch:
      return data(`column "${column}" of the batch has ${bad.extra} features, not one for each example of the batch`);
    case Bad.batchSize:
      return data(`a batch of ${bad.extra} examples, more than its bytes can hold`);
    default:
      return null;
  }
}
