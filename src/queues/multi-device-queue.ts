import { MonolithError } from '../base/index.js';
import { PrefetchQueue } from './prefetch-queue.js';

/** Where a part of an item is kept. */
export type QueueDevice = 'cpu' | 'gpu';

/**
 * Lists whose parts wait in two queues, one a device, and come out together in their original places. Both queues take and give at the same
 * moments, so they always hold parts of the same lists.
 */
export class MultiDeviceQueue<T> {
  private readonly cpu: PrefetchQueue<readonly T[]>;
  private readonly gpu: PrefetchQueue<readonly T[]>;

  /**
   * @param devices  device of each place of a list: [parts].
   * @param capacity most lists at a time; at least 1.
   */
  constructor(
    private readonly devices: readonly QueueDevice[],
    capacity: number,
  ) {
    this.cpu = new PrefetchQueue(capacity);
    this.gpu = new PrefetchQueue(capacity);
  }

  /** For lists like `example`, each part where `placement` puts it. */
  static placed<T>(example: readonly T[], placement: (part: T, index: number) => QueueDevice, capacity: number): MultiDeviceQueue<T> {
    return new MultiDeviceQueue<T>(example.map(placement), capacity);
  }

  /** Lists in the queue: the size of the CPU's part. */
  get size(): number {
    return this.cpu.size;
  }

  /** Waits for room. @param parts [parts] @throws InvalidArgument for another number of parts; QueueClosed */
  async enqueue(parts: readonly T[]): Promise<void> {
    const { devices } = this;
    if (parts.length !== devices.length) {
      throw new MonolithError('InvalidArgument', `MultiDeviceQueue: expected ${devices.length} parts, got ${parts.length}`);
    }
    const on = (device: QueueDevice): T[] => parts.filter((_, i) => devices[i] === device);
    await Promise.all([this.cpu.enqueue(on('cpu')), this.gpu.enqueue(on('gpu'))]);
  }

  /** Waits for a list: [parts]. @throws QueueClosed when the queue is closed and empty */
  async dequeue(): Promise<T[]> {
    const [cpu, gpu] = await Promise.all([this.cpu.dequeue(), this.gpu.dequeue()]);
    let c = 0;
    let g = 0;
    return this.devices.map((device) => (device === 'cpu' ? cpu[c++] : gpu[g++]));
  }

  /** As {@link PrefetchQueue.close}. */
  close(): void {
    this.cpu.close();
    this.gpu.close();
  }
}
