import type { Discovery } from '../discovery/index.js';

/** How long the end waits for a heartbeat under way. */
const STOP_TIMEOUT_MS = 100;

/**
 * Tells the backend every `intervalMs` that a service is alive, one call at a time. A failure is a line for the operator: a run that could
 * train goes on.
 */
export class Heartbeat {
  private timer: NodeJS.Timeout | undefined;
  private underWay: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(
    private readonly discovery: Pick<Discovery, 'heartbeat'>,
    private readonly serviceId: string,
    private readonly intervalMs: number,
    private readonly log: (line: string) => void,
  ) {
    this.schedule();
  }

  /** No heartbeat begins after this call. Resolves when the one under way has ended, or after 100 ms. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    let limit: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => {
      limit = setTimeout(resolve, STOP_TIMEOUT_MS);
    });
    await Promise.race([this.underWay, enough]);
    clearTimeout(limit);
  }

  private schedule(): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.underWay = this.beat();
    }, this.intervalMs);
  }

  private async beat(): Promise<void> {
    try {
      await this.discovery.heartbeat(this.serviceId);
    } catch (error) {
      this.log(`discovery heartbeat of ${this.serviceId} failed: ${error instanceof Error ? error.message : String(error)}`);
    }
    this.schedule();
  }
}
