import { crc32c, MonolithError } from '../../base/index.js';
import { lastRecordEnd } from '../cut.js';
import type { Parsers } from '../native-parsers.js';
import { otherParser } from '../other-parsers.js';
import { ParsedBlock } from '../parsed-block.js';
import { P, ProgramFormat } from '../program.js';
import { parseCriteoBin } from './criteo-bin.js';
import { parseDelimited } from './delimited.js';
import { gatherExamples } from './gather.js';
import { parseLibsvm } from './libsvm.js';
import { packBlock, unpackBlock } from './pack.js';
import { selectExamples, shufflePicks } from './select.js';
import { parseTfrecord } from './tfrecord.js';

/** The parsers in TypeScript: the reference of the native ones, and what runs where the addon is not built. */
export const referenceParsers: Parsers = {
  name: 'reference',
  lastRecordEnd,
  gatherExamples,
  selectExamples,
  shufflePicks,
  packBlock,
  unpackBlock,
  checksum: (bytes, start, length) => crc32c(bytes.subarray(start, start + length)),
  parseRecords(program, raw, start, length, common, shape, buffer, result) {
    const bytes = raw.subarray(start, start + length);
    const block = new ParsedBlock(buffer, common, shape);
    const other = otherParser(program);
    if (other !== null) return other(program, bytes, block, result);
    switch (program.words[P.format]) {
      case ProgramFormat.delimited:
        return parseDelimited(program, bytes, block, result);
      case ProgramFormat.libsvm:
      case ProgramFormat.libffm:
        return parseLibsvm(program, bytes, block, result);
      case ProgramFormat.criteoBin:
        return parseCriteoBin(program, bytes, block, result);
      case ProgramFormat.tfrecord:
        return parseTfrecord(program, bytes, block, result);
      default:
        throw new MonolithError('Internal', `parseRecords: unknown format ${program.words[P.format]}`);
    }
  },
};
