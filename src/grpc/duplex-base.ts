import type { RpcDuplex } from './service.js';

/** The end of a stream, whatever carries it. */
export abstract class DuplexBase implements RpcDuplex {
  readonly #listeners: ((error: Error | null) => void)[] = [];
  #closed: { readonly error: Error | null } | null = null;

  constructor(readonly peer: string) {}

  abstract write(message: Uint8Array, sent?: () => void, framed?: Uint8Array): boolean;
  abstract onMessage(listener: (message: Buffer) => void): void;
  abstract onDrain(listener: () => void): void;
  abstract onEnd(listener: () => void): void;
  abstract pause(): void;
  abstract resume(): void;
  abstract end(): void;
  abstract fail(error: Error): void;

  onClose(listener: (error: Error | null) => void): void {
    if (this.#closed === null) this.#listeners.push(listener);
    else listener(this.#closed.error);
  }

  protected get isClosed(): boolean {
    return this.#closed !== null;
  }

  /** Nothing more comes or goes; only the first call counts. */
  protected settle(error: Error | null): void {
    if (this.#closed !== null) return;
    this.#closed = { error };
    for (const listener of this.#listeners) listener(error);
  }
}

/** What all carriers of a stream have in common: Node's Duplex, seen from outside. */
type Carrier = {
  on(event: 'drain' | 'end', listener: () => void): unknown;
  pause(): unknown;
  resume(): unknown;
};

/** A stream that one of Node's carries. */
export abstract class CarriedDuplex<C extends Carrier> extends DuplexBase {
  constructor(
    protected readonly carrier: C,
    peer: string,
  ) {
    super(peer);
  }

  onDrain(listener: () => void): void {
    this.carrier.on('drain', listener);
  }

  onEnd(listener: () => void): void {
    this.carrier.on('end', listener);
  }

  pause(): void {
    this.carrier.pause();
  }

  resume(): void {
    this.carrier.resume();
  }
}
