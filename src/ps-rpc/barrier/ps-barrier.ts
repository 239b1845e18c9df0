import { MonolithError } from '../../base/index.js';
import type { PsClientOptions } from '../client/options.js';
import { PsClient } from '../client/ps-client.js';
import { BarrierError } from '../errors.js';
import type { Barrier } from './barrier.js';

/** A barrier coordinated by shard 0. Any number of waits may run through one object at the same time. */
export class PsBarrier implements Barrier {
  /** @param timeoutMs how long a worker waits for the others. */
  constructor(
    private readonly client: PsClient,
    private readonly timeoutMs: number,
  ) {}

  /** A barrier with a client of its own. Throws the client's errors (PsError): InvalidConfig for an empty list, RpcError when a shard can't be reached. */
  static async connect(addresses: readonly string[], timeoutMs: number, options: PsClientOptions = {}): Promise<PsBarrier> {
    return new PsBarrier(await PsClient.connect(addresses, options), timeoutMs);
  }

  /** Throws a BarrierError: Timeout, InvalidConfig or Rpc. */
  async wait(barrierId: string, workerId: number, numWorkers: number): Promise<void> {
    try {
      await this.client.barrier(barrierId, workerId, numWorkers, this.timeoutMs);
    } catch (error) {
      const { code, message, details } = MonolithError.from(error);
      const kind = code === 'Timeout' || code === 'InvalidConfig' ? code : 'Rpc';
      throw new BarrierError(kind, message, details, { cause: error });
    }
  }

  /** Closes the client. */
  close(): void {
    this.client.close();
  }
}
