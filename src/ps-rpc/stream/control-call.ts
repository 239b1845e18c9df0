import { MonolithError } from '../../base/index.js';
import type { MessageDuplex } from './duplex.js';
import { decodeControlPiece, encodeControlPiece, type Failure } from './messages.js';

/** JSON and bytes: one request or answer of the control calls. */
export type ControlMessage = { readonly json: string; readonly data: Uint8Array };

/** Bytes that one call may bring; a bucket of rows is about 40 MB. */
const MOST_BYTES = 2 ** 31 - 1;
const MOST_JSON = 64 << 20;

/** Bytes of data in one piece: their cost counts by the piece, and what comes between them is not in a hurry. */
const PIECE_BYTES = 1 << 18;

/** A working server says so this often: the caller then knows that it is there. */
const SIGN_OF_LIFE_MS = 500;

const NOTHING = new Uint8Array(0);

/** Sends a message in pieces. */
export function sendControl(duplex: MessageDuplex, json: object, parts: readonly Uint8Array[]): void {
  const bytes = parts.reduce((sum, part) => sum + part.length, 0);
  const text = JSON.stringify({ ...json, bytes });
  let head = text;
  for (const part of parts) {
    for (let at = 0; at < part.length; at += PIECE_BYTES) {
      const data = part.subarray(at, Math.min(part.length, at + PIECE_BYTES));
      duplex.send(encodeControlPiece({ json: head, data, last: false, failure: null }));
      head = '';
    }
  }
  duplex.send(encodeControlPiece({ json: head, data: NOTHING, last: true, failure: null }));
}

/** Puts pieces together again. */
export class ControlAssembly {
  private json = '';
  private data: Uint8Array = NOTHING;
  private filled = 0;

  /**
   * @returns the message when it is whole.
   * @throws RecordCorrupt, ResourceExhausted; what the piece's failure says.
   */
  take(message: Uint8Array): ControlMessage | null {
    const piece = decodeControlPiece(message);
    if (piece.failure !== null) throw new RemoteFailure(piece.failure);
    if (piece.json !== '' && this.json === '') {
      this.json = piece.json;
      const bytes = this.announced(piece.json);
      // Plain memory, aligned for every kind of number that will be seen in it.
      this.data = new Uint8Array(new ArrayBuffer(bytes));
    }
    if (this.filled + piece.data.length > this.data.length) {
      throw new MonolithError('RecordCorrupt', `control call: more data than the ${this.data.length} bytes announced`);
    }
    this.data.set(piece.data, this.filled);
    this.filled += piece.data.length;
    if (!piece.last) return null;
    if (this.json === '' || this.filled !== this.data.length) {
      throw new MonolithError('RecordCorrupt', `control call: ends with ${this.filled} of ${this.data.length} bytes`);
    }
    return { json: this.json, data: this.data };
  }

  private announced(json: string): number {
    let bytes: unknown;
    try {
      ({ bytes } = JSON.parse(json) as { bytes: unknown });
    } catch (error) {
      throw new MonolithError('RecordCorrupt', 'control call: not JSON', {}, { cause: error });
    }
    if (typeof bytes !== 'number' || !Number.isInteger(bytes) || bytes < 0 || bytes > MOST_BYTES || json.length > MOST_JSON) {
      throw new MonolithError('ResourceExhausted', `control call: ${String(bytes)} bytes of data announced, at most ${MOST_BYTES}`);
    }
    return bytes;
  }
}

/** What the other end answered instead of a result. */
export class RemoteFailure extends MonolithError {
  readonly retry: boolean;

  constructor({ error, retry }: Failure) {
    super(error.code, error.message, error.details);
    this.retry = retry;
  }
}

/** A refusal that may end by itself: the caller asks again for a while. */
export class PassingRefusal extends MonolithError {}

/** The server's end of one call: takes the request, lets `answer` work, sends what it gives or the error it throws. */
export function serveControl(
  duplex: MessageDuplex,
  answer: (request: ControlMessage) => Promise<{ readonly json: object; readonly parts: readonly Uint8Array[] }>,
): void {
  const assembly = new ControlAssembly();
  let open = true;
  let asked = false;
  const end = (): void => {
    open = false;
    duplex.close();
  };
  const refuse = (error: unknown): void => {
    const failure = { error: MonolithError.from(error), retry: error instanceof PassingRefusal };
    if (open) duplex.send(encodeControlPiece({ json: '', data: NOTHING, last: true, failure }));
    end();
  };
  const work = async (request: ControlMessage): Promise<void> => {
    const timer = setInterval(() => {
      if (open) duplex.send(encodeControlPiece({ json: '', data: NOTHING, last: false, failure: null }));
    }, SIGN_OF_LIFE_MS);
    try {
      const { json, parts } = await answer(request);
      if (open) sendControl(duplex, json, parts);
      end();
    } catch (error) {
      refuse(error);
    } finally {
      clearInterval(timer);
    }
  };
  duplex.onMessage = (message) => {
    try {
      if (asked) throw new MonolithError('RecordCorrupt', 'control call: more came behind its last piece');
      const request = assembly.take(message);
      if (request === null) return;
      asked = true;
      void work(request);
    } catch (error) {
      refuse(error);
    }
  };
  duplex.onEnd = () => {
    open = false;
  };
}

/**
 * The caller's end of one call over one stream.
 * @param onHeard told of every sign of life.
 * @throws RemoteFailure for what the server answered; Unavailable when it is silent for `silenceMs` or the stream ends.
 */
export function callControl(
  duplex: MessageDuplex,
  json: object,
  parts: readonly Uint8Array[],
  silenceMs: number,
  onHeard: () => void = () => {},
): Promise<ControlMessage> {
  const assembly = new ControlAssembly();
  let timer: NodeJS.Timeout | undefined;
  return new Promise<ControlMessage>((resolve, reject) => {
    const listen = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        reject(new MonolithError('Unavailable', `${duplex.peer}: no sign of life for ${Math.round(silenceMs)} ms`, { peer: duplex.peer }));
      }, silenceMs);
    };
    listen();
    duplex.onMessage = (message) => {
      listen();
      onHeard();
      try {
        const answer = assembly.take(message);
        if (answer !== null) resolve(answer);
      } catch (error) {
        reject(MonolithError.from(error));
      }
    };
    duplex.onEnd = (reason) => {
      reject(reason ?? new MonolithError('Unavailable', `${duplex.peer}: the stream ended before the answer`, { peer: duplex.peer }));
    };
    sendControl(duplex, json, parts);
  }).finally(() => {
    clearTimeout(timer);
    duplex.close();
  });
}
