import type { MessagePort } from 'node:worker_threads';
import { MonolithError } from '../base/index.js';
import { SHARD_REQUEST_WORDS, ShardOp } from '../ps/index.js';
import type { MpscRing } from '../sharedarraybuffer-ring/index.js';
import type { ShardAnswer, ShardControl } from './messages.js';
import type { Supervisor } from './supervisor.js';

/**
 * The coordinator's line to one shard for rare requests. A message lies on the port and a descriptor in the shard's request ring says when
 * it is to be taken: between two requests of workers. One request at a time is under way; others wait their turn, in the order of the calls.
 */
export class ShardPort {
  private readonly request = new Int32Array(SHARD_REQUEST_WORDS);
  private last: Promise<unknown> = Promise.resolve();

  /** @param port      the coordinator's end; taken over. @param requests the shard's request ring. */
  constructor(
    private readonly port: MessagePort,
    private readonly requests: MpscRing,
    private readonly supervisor: Supervisor,
    private readonly timeoutMs: number,
  ) {
    port.unref();
    this.request[0] = ShardOp.control;
  }

  /** @throws what the shard failed with, and what ended the cluster if it ended meanwhile. */
  ask(message: ShardControl): Promise<ShardAnswer> {
    const answer = this.last.then(() => this.send(message));
    this.last = answer.catch(() => {});
    return answer;
  }

  close(): void {
    this.port.close();
  }

  private async send(message: ShardControl): Promise<ShardAnswer> {
    this.supervisor.check();
    const { port } = this;
    let settle: (value: ShardAnswer) => void = () => {};
    const answer = this.supervisor.whileSound(
      new Promise<ShardAnswer>((resolve) => {
        settle = resolve;
        port.once('message', resolve);
      }),
    );
    // When the run ends while the request is still being sent, that is what is reported.
    answer.catch(() => {});
    port.ref();
    try {
      port.postMessage(message);
      await this.requests.pushAsync(this.request, this.timeoutMs);
      const value = await answer;
      if (value.kind === 'failed') throw MonolithError.fromJSON(value.error);
      return value;
    } finally {
      port.off('message', settle);
      port.unref();
    }
  }
}
