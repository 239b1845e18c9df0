import { MonolithError } from '../../base/index.js';
import type { MessageDuplex } from './duplex.js';

/** A stream to the shard where it is now. Asks for the address each time: a restarted shard may have another. */
export type ShardConnect = () => Promise<MessageDuplex>;

/** An attempt that was given up for lack of time: what failed before it says more. */
export class CutShort extends MonolithError {
  constructor(peer: string, ms: number) {
    super('Unavailable', `no connection to ${peer} within ${Math.round(ms)} ms`);
  }
}

/** Waits of one caller, one at a time, that can be cut short. */
export class Patience {
  private wake: (() => void) | null = null;

  /** Ends the present wait: a pause is over, a connection is given up. */
  interrupt(): void {
    this.wake?.();
  }

  /**
   * A connection within `ms`. An attempt that takes longer is given up; a stream that comes of it later is closed.
   * @throws what `connect` threw; {@link CutShort} naming `peer`.
   */
  connect(connect: ShardConnect, ms: number, peer: string): Promise<MessageDuplex> {
    return new Promise((resolve, reject) => {
      let late = false;
      const giveUp = (): void => {
        late = true;
        this.wake = null;
        clearTimeout(timer);
        reject(new CutShort(peer, ms));
      };
      const timer = setTimeout(giveUp, ms);
      this.wake = giveUp;
      connect().then(
        (duplex) => {
          clearTimeout(timer);
          if (late) duplex.close();
          else resolve(duplex);
        },
        (error: unknown) => {
          clearTimeout(timer);
          reject(MonolithError.from(error));
        },
      );
    });
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
