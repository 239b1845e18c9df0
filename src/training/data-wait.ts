/** How often something is looked after while data are long in coming. */
const TICK_MS = 500;

/** Does some work again and again until `wait` is over, however that ends; returns with it. @throws what the work throws, not what is waited for */
export async function eachTick(wait: Promise<unknown>, work: () => Promise<void>): Promise<void> {
  let isOver = false;
  const over = (): void => {
    isOver = true;
  };
  const done = wait.then(over, over);
  while (!isOver) {
    let timer: NodeJS.Timeout | undefined;
    const tick = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, TICK_MS);
    });
    await Promise.race([done, tick]);
    clearTimeout(timer);
    if (!isOver) await work();
  }
}

/** Waits that a signal gives up. */
export class StoppableWait {
  private giveUp: () => void = () => {};

  constructor(private readonly stop: AbortSignal | null) {
    stop?.addEventListener('abort', () => this.giveUp(), { once: true });
  }

  /** What is waited for, or null once the signal has come: data may be long in coming. One at a time. */
  untilStopped<T>(wait: Promise<T>): Promise<T | null> {
    return new Promise((resolve, reject) => {
      this.giveUp = () => resolve(null);
      if (this.stop?.aborted === true) this.giveUp();
      wait.then(resolve, reject);
    });
  }
}
