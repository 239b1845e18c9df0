// Between two ends of message streams: messages are sent 1 to 5 times, late, out of order, not at all before a cut; streams are cut. What
// happens follows from a seed and the order of messages.
import { SeededRandom } from '../../src/base/index.js';
import type { MessageDuplex } from '../../src/ps-rpc/index.js';

export type WireFaults = {
  /** Most copies of one message. */
  readonly copies?: number;
  /** Most turns of the event loop by which a message is late: later ones overtake it. */
  readonly lateness?: number;
  /** Chance that a message is the last one to pass: the stream is cut. */
  readonly cut?: number;
  /** Chance that answers of a stream vanish from some message on, some time before it is cut. */
  readonly dropAnswers?: number;
};

export class FaultyWire {
  /** Messages that passed more than once, were overtaken, vanished; streams that were cut. */
  readonly counts = { repeated: 0, late: 0, vanished: 0, cuts: 0 };
  private readonly random: SeededRandom;

  constructor(
    seed: number,
    private readonly faults: WireFaults,
  ) {
    this.random = new SeededRandom(seed);
  }

  /** Ends to give to the two sides in place of `near` and `far`. */
  between([near, far]: [MessageDuplex, MessageDuplex]): [MessageDuplex, MessageDuplex] {
    let open = true;
    let answersVanish = false;
    const cut = (): void => {
      if (!open) return;
      open = false;
      this.counts.cuts++;
      // Both ends see their peer close.
      near.close();
      far.close();
      nearEnd.onEnd?.(null);
      farEnd.onEnd?.(null);
    };
    const wrap = (inner: MessageDuplex, answers: boolean): MessageDuplex => ({
      peer: inner.peer,
      onMessage: null,
      onEnd: null,
      send: (message) => {
        if (!open) return;
        const { copies = 1, lateness = 0, cut: chance = 0, dropAnswers = 0 } = this.faults;
        if (answers && dropAnswers > 0 && !answersVanish && this.random.nextFloat() < dropAnswers) {
          answersVanish = true;
          setTimeout(cut, 5);
        }
        if (answers && answersVanish) {
          this.counts.vanished++;
          return;
        }
        const times = 1 + this.random.nextBelow(copies);
        if (times > 1) this.counts.repeated++;
        for (let i = 0; i < times; i++) {
          const turns = this.random.nextBelow(lateness + 1);
          if (turns > 0) this.counts.late++;
          after(turns, () => {
            if (open) inner.send(message);
          });
        }
        if (this.random.nextFloat() < chance) after(lateness, cut);
      },
      close: () => {
        open = false;
        inner.close();
      },
    });
    const nearEnd = wrap(near, false);
    const farEnd = wrap(far, true);
    near.onMessage = (message) => nearEnd.onMessage?.(message);
    far.onMessage = (message) => farEnd.onMessage?.(message);
    near.onEnd = (reason) => nearEnd.onEnd?.(reason);
    far.onEnd = (reason) => farEnd.onEnd?.(reason);
    return [nearEnd, farEnd];
  }
}

function after(turns: number, act: () => void): void {
  if (turns === 0) act();
  else setImmediate(() => after(turns - 1, act));
}
