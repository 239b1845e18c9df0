/** Something that is waited for and happens again and again: a call of `ring` ends the wait under way, or the next one. */
export class Wake {
  private rung = false;
  private waiting: (() => void) | null = null;

  ring(): void {
    this.rung = true;
    const { waiting } = this;
    this.waiting = null;
    waiting?.();
  }

  /** @param ms longest wait; absent: as long as it takes. @returns whether it was rung. */
  async wait(ms?: number): Promise<boolean> {
    if (!this.rung) {
      await new Promise<void>((resolve) => {
        const timer = ms === undefined ? null : setTimeout(resolve, ms);
        this.waiting = () => {
          if (timer !== null) clearTimeout(timer);
          resolve();
        };
      });
      this.waiting = null;
    }
    const { rung } = this;
    this.rung = false;
    return rung;
  }
}
