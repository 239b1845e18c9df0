// What every part of the benchmarks shares: its command line, and results as JSON lines for `monolith-local bench` or as text for people.
//
//   node dist/bench/FOLDER/NAME.bench.js [words] [--json] [--only TEXT] [--seconds S] [--rows N] [--rounds N] [--file F]
import { Bench } from 'tinybench';
import { figure, type Measurement, spreadOf } from '../../src/bench/index.js';

/** The command line of a part. */
export const benchArguments = readArguments(process.argv.slice(2));

function readArguments(line: readonly string[]): {
  readonly words: readonly string[];
  readonly json: boolean;
  readonly only: string | null;
  readonly seconds: number;
  readonly rows: number | null;
  readonly rounds: number;
  readonly file: string | null;
} {
  const flags = new Map<string, string>();
  const words: string[] = [];
  let json = false;
  for (let i = 0; i < line.length; i++) {
    if (line[i] === '--json') json = true;
    else if (line[i].startsWith('--')) flags.set(line[i], line[++i] ?? '');
    else words.push(line[i]);
  }
  const rows = flags.get('--rows');
  return {
    words,
    json,
    only: flags.get('--only') ?? null,
    seconds: Number(flags.get('--seconds') ?? 1),
    rows: rows === undefined ? null : Number(rows),
    rounds: Number(flags.get('--rounds') ?? 5),
    file: flags.get('--file') ?? null,
  };
}

/** Whether a result of this name is asked for. */
export function wanted(name: string): boolean {
  return benchArguments.only === null || name.includes(benchArguments.only);
}

/** Tells one result. */
export function report(measurement: Measurement): void {
  if (!wanted(measurement.name)) return;
  if (benchArguments.json) {
    process.stdout.write(`${JSON.stringify(measurement)}\n`);
    return;
  }
  const { median, min, max } = spreadOf(measurement.values);
  const info = Object.entries(measurement.info ?? {}).map(
    ([name, value]) => `${name} ${typeof value === 'number' ? figure(value) : value}`,
  );
  process.stdout.write(
    `${measurement.name.padEnd(48)} ${figure(median).padStart(12)} ${measurement.unit.padEnd(14)} ${figure(min)} – ${figure(max)}  ${info.join(', ')}\n`,
  );
}

/** Rounds of one measurement: enough for quartiles. */
const ROUNDS = 10;

/**
 * Milliseconds of one call: the median of each of ten rounds, `seconds` in all, after a warm-up.
 */
export async function millisecondsOf(call: () => void, seconds = benchArguments.seconds): Promise<number[]> {
  const medians: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const bench = new Bench({
      time: (1000 * seconds) / ROUNDS,
      iterations: 3,
      warmup: round === 0,
      warmupTime: 100 * seconds,
      warmupIterations: 2,
    });
    bench.add('call', call);
    await bench.run();
    const { result } = bench.tasks[0];
    if (result !== undefined && 'latency' in result) medians.push(result.latency.p50);
  }
  return medians;
}
