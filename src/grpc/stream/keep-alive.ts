import type { Http2Session } from 'node:http2';

/** Asks the other side for a sign of life every `everyMs`; calls `lost` once if none comes within `answerMs`. Ends with the session. */
export function keepAlive(session: Http2Session, everyMs: number, answerMs: number, lost: () => void): void {
  let waiting: NodeJS.Timeout | null = null;
  const stop = (): void => {
    clearInterval(timer);
    if (waiting !== null) clearTimeout(waiting);
  };
  const ask = (): void => {
    if (waiting !== null || session.destroyed) return;
    waiting = setTimeout(() => {
      stop();
      lost();
    }, answerMs);
    waiting.unref();
    session.ping(() => {
      if (waiting !== null) clearTimeout(waiting);
      waiting = null;
    });
  };
  const timer = setInterval(ask, everyMs);
  timer.unref();
  session.once('close', stop);
}
