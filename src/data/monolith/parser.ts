// Instance, Example, ExampleBatch and ExampleBatchRowMajor into the columns of a parsed block.
import type { ParsedBlock } from '../parsed-block.js';
import { Bad, P, type Program, ProgramFormat } from '../program.js';
import { columnNames } from '../program-names.js';
import { Emitter, FULL, OK } from '../twins/emitter.js';
import { LEFT_OUT } from '../twins/filter.js';
import { type ColumnSource, MonolithActions } from './actions.js';
import { lineIdFields, parseColumnName } from './columns.js';
import { framingOf } from './cut.js';
import { FrameState, framePlaces, walkFrame } from './framing.js';
import { MessageScanner } from './scanner.js';
import { SlotChains, ValueScratch } from './values.js';

/** A batch of nothing but shared columns says how many examples it has in a few bytes: no more than this are believed then. */
const MOST_EXAMPLES = 65536;

/** Parses bytes[0, length). */
export function parseMonolith(program: Program, bytes: Uint8Array, block: ParsedBlock, result: Float64Array): void {
  new MonolithParser(program, bytes, block, result).parse();
}

class MonolithParser {
  private readonly out: Emitter;
  private readonly scanner: MessageScanner;
  private readonly actions: MonolithActions;
  private readonly format: number;
  private readonly sources: readonly ColumnSource[];
  private at = 0;
  private end = 0;

  constructor(
    private readonly program: Program,
    private readonly bytes: Uint8Array,
    block: ParsedBlock,
    result: Float64Array,
  ) {
    const { words } = program;
    this.format = words[P.format];
    this.out = new Emitter(program, block, result);
    const bases = new Map<string, number>();
    const sources: ColumnSource[] = [];
    const names = columnNames(program).map((name) => parseColumnName(name, this.format === ProgramFormat.instance, 'schema'));
    for (const { base, index, kind, number } of names) {
      if (!bases.has(base)) bases.set(base, bases.size);
      const repeated = Object.values(lineIdFields).find((field) => field.number === number)?.repeated ?? false;
      sources.push({ base: bases.get(base) ?? 0, index, scalar: kind === 'weight' || (kind === 'lineId' && !repeated) });
    }
    const most = block.slot.layout.groups.reduce((max, group) => Math.max(max, group.numFeatures), words[P.maxIds]);
    const capacity = names.reduce((max, { index }) => Math.max(max, index + 1), most) + 2;
    const values = new ValueScratch(bytes, capacity);
    const chains = new SlotChains(bases.size);
    this.scanner = new MessageScanner(bytes, names, bases, chains, values);
    this.sources = sources;
    this.actions = new MonolithActions(program, this.out, sources, values, chains, bytes);
  }

  parse(): void {
    const { bytes, out, program } = this;
    const framing = framingOf(program);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const places = framePlaces();
    const limit = bytes.length;
    let full = false;
    for (let at = 0; at < limit; at = places.end) {
      this.at = at;
      if (framing === null) {
        places.payload = 0;
        places.end = limit;
      } else {
        const state = walkFrame(view, at, limit, framing, program.words[P.maxRecord], places);
        if (state !== FrameState.good) {
          if (!out.hasRoom) {
            full = true;
            this.end = at;
            break;
          }
          out.begin();
          const code = state === FrameState.truncated ? Bad.truncated : Bad.frame;
          out.markBad(code, at, 0, places.end - at, places.end, limit, state);
          this.end = limit;
          break;
        }
      }
      const { record, badRecords } = out;
      if (this.message(places.payload, places.end) === FULL) {
        out.rewind(record, badRecords);
        full = true;
        this.end = at;
        break;
      }
      this.end = places.end;
    }
    out.finish(this.end, 0, full);
  }

  /** One message: FULL where the block has no room for all its examples. */
  private message(start: number, end: number): number {
    const { scanner } = this;
    switch (this.format) {
      case ProgramFormat.instance:
        return this.example(scanner.instance(start, end), 0, start, end);
      case ProgramFormat.example:
        scanner.places.clear();
        return this.example(scanner.example(start, end), 0, start, end);
      case ProgramFormat.exampleBatch:
        return this.batch(start, end);
      default:
        return this.rowMajor(start, end);
    }
  }

  /** The example whose columns the scanner has found, or has not found for the reason `code`. */
  private example(code: number, row: number, start: number, end: number): number {
    const { out, actions, scanner } = this;
    if (!out.hasRoom) return FULL;
    out.begin();
    let why = code;
    if (why === OK) {
      why = actions.run(scanner.places);
      if (why === FULL) return FULL;
    } else {
      actions.column = Math.max(
        0,
        this.sources.findIndex((source) => source.base === scanner.column),
      );
      actions.extra = scanner.extra;
    }
    if (why === OK) out.good();
    else if (why === LEFT_OUT) out.leaveOut();
    else out.markBad(why, this.at, row, actions.column, start, end, actions.extra);
    return OK;
  }

  private batch(start: number, end: number): number {
    const { scanner } = this;
    let code = scanner.batch(start, end);
    const { batchSize } = scanner;
    if (code === OK && (batchSize < 0 || batchSize > Math.max(MOST_EXAMPLES, end - start))) {
      scanner.extra = batchSize;
      code = Bad.batchSize;
    }
    if (code !== OK) return this.example(code, 0, start, end);
    for (let row = 0; row < batchSize; row++) {
      if (this.example(scanner.nextRow(), row + 1, start, end) === FULL) return FULL;
    }
    return OK;
  }

  private rowMajor(start: number, end: number): number {
    const { scanner } = this;
    const code = scanner.sharedFeatures(start, end);
    if (code !== OK) return this.example(code, 0, start, end);
    let row = 0;
    while (scanner.nextExample()) {
      const found = scanner.exampleWithShared();
      if (this.example(found, ++row, start, end) === FULL) return FULL;
    }
    return OK;
  }
}
