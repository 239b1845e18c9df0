import { createRequire } from 'node:module';
import type { DestinationStream, Level, Logger as PinoLogger } from 'pino';

/** Where the rest of the package logs to: `logger.info({ step }, 'checkpoint saved')`. */
export type Logger = PinoLogger;

export type LogLevel = Level | 'silent';

export type LoggerOptions = {
  /** Least level that is written; default 'info'. */
  readonly level?: LogLevel;
  /** One JSON object a line for machines; otherwise one plain line for people. Default false. */
  readonly json?: boolean;
  /** Receives whole lines; default stderr, since stdout is for results. */
  readonly stream?: { write(line: string): unknown };
};

/**
 * A logger that writes whole lines synchronously, so that nothing is lost when the process ends.
 * Plain lines read `warning: what happened (step 310, worker 1)`. Secrets must not be given to it: nothing is masked.
 */
export function createLogger(options: LoggerOptions = {}): Logger {
  // Loaded on demand: every thread imports this room, few of them log, and pino takes half of the room's loading time.
  const { pino } = createRequire(import.meta.url)('pino') as typeof import('pino');
  const level = options.level ?? 'info';
  const sink: DestinationStream = options.stream ?? pino.destination({ dest: 2, sync: true });
  if (options.json === true) return pino({ level, base: null }, sink);
  const plain: DestinationStream = { write: (line) => sink.write(plainLine(line)) };
  return pino({ level, base: null, timestamp: false }, plain);
}

const levelNames = new Map([
  [10, 'trace: '],
  [20, 'debug: '],
  [30, ''],
  [40, 'warning: '],
  [50, 'error: '],
  [60, 'fatal: '],
]);

/** One line for people from one JSON line of pino. */
function plainLine(jsonLine: string): string {
  const { level, msg, err, ...rest } = JSON.parse(jsonLine) as { level: number; msg?: string; err?: { message?: string } };
  const values = Object.entries(rest).map(([key, value]) => `${key} ${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const text = [msg, err?.message].filter((part) => part !== undefined && part !== '').join(': ');
  return `${levelNames.get(level) ?? ''}${text}${values.length > 0 ? ` (${values.join(', ')})` : ''}\n`;
}
