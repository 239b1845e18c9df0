// Parsers that there are in TypeScript alone.
import { parseJsonl } from './jsonl/parser.js';
import { parseMonolith } from './monolith/parser.js';
import { parseNpz } from './npz/parser.js';
import type { ParsedBlock } from './parsed-block.js';
import { P, type Program, ProgramFormat } from './program.js';
import { parseVw } from './vw/parser.js';

type Parse = (program: Program, bytes: Uint8Array, block: ParsedBlock, result: Float64Array) => void;

const parsers: ReadonlyMap<number, Parse> = new Map([
  [ProgramFormat.instance, parseMonolith],
  [ProgramFormat.example, parseMonolith],
  [ProgramFormat.exampleBatch, parseMonolith],
  [ProgramFormat.rowMajor, parseMonolith],
  [ProgramFormat.jsonl, parseJsonl],
  [ProgramFormat.vw, parseVw],
  [ProgramFormat.npz, parseNpz],
]);

/** The parser of a format that has no native one; null where it has. */
export function otherParser(program: Program): Parse | null {
  return parsers.get(program.words[P.format]) ?? null;
}
