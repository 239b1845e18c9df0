/** Numbered messages that the other side has not acknowledged: what a new stream sends again. */
export class Outbox<T extends { readonly sequence: number }> {
  private waiting: T[] = [];

  add(message: T): void {
    this.waiting.push(message);
  }

  /** The other side has everything up to here. */
  acknowledge(sequence: number): void {
    while (this.waiting.length > 0 && this.waiting[0].sequence <= sequence) this.waiting.shift();
  }

  get unacknowledged(): readonly T[] {
    return this.waiting;
  }

  clear(): void {
    this.waiting = [];
  }
}
