import cliProgress from 'cli-progress';
import { type Clock, systemClock } from '../base/index.js';
import { compact, durationText, figureText, grouped, wantsColor } from './text.js';

/** Redraws a second on a terminal: more flicker and cost, and nobody reads faster. */
const REDRAWS_PER_SECOND = 4;
/** Seconds between lines where there is no terminal. */
const LINE_SECONDS = 5;
const BAR_WIDTH = 24;

/** How a run goes, as people see it. */
export type ProgressUpdate = {
  readonly step: number;
  /** Running epoch, from 1, and how many there will be (0: no end). */
  readonly epoch: number;
  readonly epochs: number;
  readonly examples: number;
  readonly examplesPerSecond: number;
  /** Mean loss since the last update. */
  readonly loss: number;
  /** Done part of the whole run, 0 … 1; null when the end is not known. */
  readonly fraction: number | null;
  /** Seconds to the end; null when not known. */
  readonly etaSeconds: number | null;
  /** Shares of the workers' time by stage, 0 … 1. */
  readonly stages?: Readonly<Record<string, number>>;
};

/** Where lines go: a stream of Node, of which only this is asked. (A name of Node here would make users of the types install its types.) */
export type TextStream = { write(text: string): unknown; readonly isTTY?: boolean | undefined };

export type ProgressOptions = {
  readonly stream?: TextStream;
  /** quiet: nothing at all. json: no progress, since standard output has it in its events. */
  readonly quiet?: boolean;
  readonly json?: boolean;
  /** Seconds between updates; 0 chooses by the kind of stream. */
  readonly everySeconds?: number;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly clock?: Clock;
};

/**
 * Shows on standard error how a run goes: a bar that is redrawn up to four times a second on a terminal, a plain line every few seconds
 * elsewhere. Ask {@link isDue} before making an update: it costs one look at the clock. {@link finish} must be called, also on the way out of
 * an error: the bar holds a timer.
 */
export class ProgressReporter {
  private readonly stream: TextStream;
  private readonly silent: boolean;
  private readonly clock: Clock;
  private readonly intervalMs: number;
  private readonly bar: cliProgress.SingleBar | null;
  private barIsShown = false;
  private nextMs = 0;
  private last: ProgressUpdate | null = null;
  private lastIsShown = true;

  constructor(options: ProgressOptions = {}) {
    const { stream = process.stderr, quiet = false, json = false, everySeconds = 0, env = process.env, clock = systemClock } = options;
    this.stream = stream;
    this.silent = quiet || json;
    this.clock = clock;
    const isTerminal = stream.isTTY === true && env.TERM !== 'dumb';
    this.intervalMs = 1000 * (everySeconds > 0 ? everySeconds : isTerminal ? 1 / REDRAWS_PER_SECOND : LINE_SECONDS);
    this.nextMs = clock.monotonicMs() + (isTerminal ? 0 : this.intervalMs);
    this.bar = isTerminal && !this.silent ? makeBar(stream, wantsColor(stream, env)) : null;
  }

  /** Whether an update would be shown now. */
  isDue(): boolean {
    return !this.silent && this.clock.monotonicMs() >= this.nextMs;
  }

  /** Shows an update, if one is due. */
  update(update: ProgressUpdate): void {
    if (this.silent) return;
    this.last = update;
    this.lastIsShown = false;
    if (!this.isDue()) return;
    this.nextMs = this.clock.monotonicMs() + this.intervalMs;
    this.show(update);
  }

  /** A line of its own, such as an evaluation or a checkpoint; the bar stays below it. */
  message(text: string): void {
    if (this.silent) return;
    this.hideBar();
    this.stream.write(`${text}\n`);
  }

  /** Shows the final state, or else the last one given, on a line that stays. Safe to call twice. */
  finish(final?: ProgressUpdate): void {
    if (this.silent) return;
    this.hideBar();
    if (final !== undefined) {
      this.last = final;
      this.lastIsShown = false;
    }
    if (this.last !== null && (!this.lastIsShown || this.bar !== null)) this.stream.write(`${progressLine(this.last)}\n`);
    this.last = null;
    this.lastIsShown = true;
  }

  private show(update: ProgressUpdate): void {
    this.lastIsShown = true;
    if (this.bar === null) {
      this.stream.write(`${progressLine(update)}\n`);
      return;
    }
    if (this.barIsShown) this.bar.update(update.fraction ?? 0, { update });
    else this.bar.start(1, update.fraction ?? 0, { update });
    this.barIsShown = true;
  }

  private hideBar(): void {
    if (this.barIsShown) this.bar?.stop();
    this.barIsShown = false;
  }
}

/** What cli-progress hands to a formatter. */
type BarState = { readonly progress: number; readonly maxWidth?: number };

function makeBar(stream: TextStream, color: boolean): cliProgress.SingleBar {
  const format = (_: unknown, state: BarState, payload: { readonly update?: ProgressUpdate }): string => {
    const { update } = payload;
    if (update === undefined) return '';
    const width = state.maxWidth ?? 80;
    const line = progressLine(update);
    // A line that wraps would scroll the terminal at each redraw: leave the bar out first, then the end of the line.
    if (update.fraction === null || line.length + BAR_WIDTH + 1 > width) return line.slice(0, Math.max(0, width - 1));
    const filled = Math.round(state.progress * BAR_WIDTH);
    const done = '█'.repeat(filled);
    return `${color ? `\u001b[36m${done}\u001b[39m` : done}${'░'.repeat(BAR_WIDTH - filled)} ${line}`;
  };
  return new cliProgress.SingleBar({
    format,
    stream: stream as NodeJS.WritableStream,
    fps: REDRAWS_PER_SECOND,
    clearOnComplete: true,
    synchronousUpdate: false,
  });
}

/** `epoch 1/3  41 %  step 1200  614,400 examples  152 k/s  loss 0.45123  ETA 32 s  compute 91 %  push 5 %` */
export function progressLine(update: ProgressUpdate): string {
  const parts = [`epoch ${update.epoch}${update.epochs > 0 ? `/${update.epochs}` : ''}`];
  if (update.fraction !== null) parts.push(`${Math.floor(update.fraction * 100)} %`);
  parts.push(`step ${update.step}`, `${grouped(update.examples)} examples`, `${compact(update.examplesPerSecond)}/s`);
  parts.push(`loss ${figureText(update.loss)}`);
  if (update.etaSeconds !== null) parts.push(`ETA ${durationText(update.etaSeconds)}`);
  if (update.stages !== undefined) parts.push(...stageTexts(update.stages));
  return parts.join('  ');
}

/** The two stages that take most of the workers' time: `compute 91 %`, `push 5 %`. */
function stageTexts(stages: Readonly<Record<string, number>>): string[] {
  const shares = Object.entries(stages).sort(([, a], [, b]) => b - a);
  return shares
    .slice(0, 2)
    .flatMap(([stage, share]) => (share >= 0.005 ? [`${stage.replace('_', ' ')} ${Math.round(share * 100)} %`] : []));
}
