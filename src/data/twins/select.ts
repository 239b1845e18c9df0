// Which examples of a parsed block belong to the part, and the order of a shuffle window. Twin of native/parsers/select.cc.
import { SeededRandom } from '../../base/index.js';
import { ExampleFlag } from '../program.js';
import { passes, selects } from '../split.js';

/** See SelectExamples. */
export function selectExamples(
  selector: Float64Array,
  flags: Uint8Array,
  count: number,
  block: number,
  fileIndex: number,
  firstRecord: number,
  picks: Int32Array,
  at: number,
): number {
  let end = at;
  for (let i = 0; i < count; i++) {
    if (!selects(selector, fileIndex, firstRecord + i, (flags[i] & ExampleFlag.evaluation) !== 0, false)) continue;
    if (!passes(selector, fileIndex, firstRecord + i, flags[i])) continue;
    picks[end * 2] = block;
    picks[end * 2 + 1] = i;
    end++;
  }
  return end;
}

/** See ShufflePicks: Fisher–Yates over pairs. */
export function shufflePicks(picks: Int32Array, count: number, seedLow: number, seedHigh: number): void {
  const random = new SeededRandom({ low: seedLow, high: seedHigh });
  for (let i = count - 1; i > 0; i--) {
    const j = random.nextBelow(i + 1);
    const block = picks[i * 2];
    const row = picks[i * 2 + 1];
    picks[i * 2] = picks[j * 2];
    picks[i * 2 + 1] = picks[j * 2 + 1];
    picks[j * 2] = block;
    picks[j * 2 + 1] = row;
  }
}
