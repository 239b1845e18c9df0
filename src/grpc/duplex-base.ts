import type { RpcDuplex } from './service.js';

/** What all carriers of a stream have in common: Node's Duplex, seen from outside. */
type Carrier = {
  on(event: 'drain' | 'end', listener: () => void): unknown;
  pause(): unknown;
  resume(): unknown;
};

/** The parts of {@link RpcDuplex} that are the same whatever carries the stream. */
export abstract class DuplexBase<C extends Carrier> implements RpcDuplex {
  readonly #listeners: ((error: Error | null) => void)[] = [];
  #closed: { readonly error: Error | null } | null = null;

  constructor(
    protected readonly carrier: C,
    readonly peer: string,
  ) {}

  abstract write(message: Uint8Array, sent?: () => void, framed?: Uint8Array): boolean;
  abstract onMessage(listener: (message: Buffer) => void): void;
  abstract end(): void;
  abstract fail(error: Error): void;

  onDrain(listener: () => void): void {
    this.carrier.on('drain', listener);
  }

  onEnd(listener: () => void): void {
    this.carrier.on('end', listener);
  }

  onClose(listener: (error: Error | null) => void): void {
    if (this.#closed === null) this.#listeners.push(listener);
    else listener(this.#closed.error);
  }

  pause(): void {
    this.carrier.pause();
  }

  resume(): void {
    this.carrier.resume();
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
