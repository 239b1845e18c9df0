// Avro object container files as a stream of blocks: what a parse thread makes of them, and where they may be cut.
import { MonolithError } from '../../base/index.js';
import { AvroDecoder, avroBlocks, loadSnappy, readAvroSchema } from '../../columnar/index.js';
import type { ParsedBlock } from '../parsed-block.js';
import { P, type Program, R } from '../program.js';
import { Emitter } from '../twins/emitter.js';
import { missingRules } from './dictionary-hashes.js';
import { ColumnRows } from './rows.js';
import { actionColumns } from './task.js';

function stringOf({ words, strings }: Program, i: number): Uint8Array {
  const ends = words.subarray(words[P.stringsAt] + words[P.extraFirst]);
  return Uint8Array.from(strings.subarray(ends[i], ends[i + 1]));
}

/** Where the bytes come from, for messages. */
export type StreamPlace = { readonly path: string; readonly byteOffset: number };

/** Parses whole blocks; one that does not fit into the parsed block is left for the next call. */
export async function parseAvro(
  program: Program,
  bytes: Uint8Array,
  block: ParsedBlock,
  place: StreamPlace,
): Promise<{ words: Float64Array; quotes: readonly string[] }> {
  const schema = readAvroSchema(place.path, Buffer.from(stringOf(program, 0)).toString('utf8'));
  const codec = Buffer.from(stringOf(program, 1)).toString('latin1') as 'null' | 'deflate' | 'snappy';
  const decoder = new AvroDecoder(schema, new Set(actionColumns(program)));
  const snappy = codec === 'snappy' ? await loadSnappy() : null;
  const rules = missingRules(program);
  const words = new Float64Array(R.words);
  const out = new Emitter(program, block, words);
  const quotes: string[] = [];
  const blocks = avroBlocks(bytes, { ...place, codec, sync: stringOf(program, 2) }, snappy, decoder);
  let consumed = 0;
  let full = false;
  for (const { start, end, count, columns } of blocks) {
    const { record, badRecords } = out;
    const rows = new ColumnRows(program, schema.leaves, columns, rules, block, words, out, quotes);
    rows.at = start;
    if (rows.run(0, count) < count) {
      // A position stands between blocks.
      out.rewind(record, badRecords);
      quotes.length = Math.min(quotes.length, badRecords);
      full = true;
      break;
    }
    consumed = end;
  }
  if (!full && consumed < bytes.length) throw new MonolithError('Internal', 'Avro blocks were not used up');
  out.finish(consumed, 0, full);
  return { words, quotes };
}
