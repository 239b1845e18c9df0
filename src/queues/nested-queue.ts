import { fillTemplate, flattenNested, type Nested, type NestedTemplate, type TensorLeaf, tensorsLike } from './nested.js';
import { PrefetchQueue } from './prefetch-queue.js';

/** A queue of structures that differ in their tensors alone: only these travel. */
export class NestedQueue {
  private readonly queue: PrefetchQueue<readonly TensorLeaf[]>;

  /** @param template from {@link flattenNested}. @param capacity at least 1. */
  constructor(
    readonly template: NestedTemplate,
    capacity: number,
  ) {
    this.queue = new PrefetchQueue(capacity);
  }

  get size(): number {
    return this.queue.size;
  }
  get capacity(): number {
    return this.queue.capacity;
  }

  /** Waits for room. @throws InvalidArgument naming the path at which the structure is another one; QueueClosed */
  async enqueue(nested: Nested): Promise<void> {
    await this.queue.enqueue(tensorsLike(this.template, nested));
  }

  /** Waits for one. @throws QueueClosed when the queue is closed and empty */
  async dequeue(): Promise<Nested> {
    return fillTemplate(this.template, await this.queue.dequeue());
  }

  /** As {@link PrefetchQueue.close}. */
  close(): void {
    this.queue.close();
  }
}

/**
 * A queue for structures like this one, as Monolith's enqueue_dicts_with_queue_return makes it. Nothing is put into it yet.
 *
 * @param nested   tensors (typed arrays) and plain values in lists and mappings.
 * @param capacity most structures in the queue; 0 or less: no queue, the structure is handed back.
 * @returns the template, with plain values in place and tensors numbered (lists in order, mappings by key), and its queue.
 * @throws InvalidArgument naming the path of a value that has no place in a structure
 */
export function enqueueDictsWithQueueReturn(
  nested: Nested,
  capacity: number,
): { readonly template: Nested; readonly queue: null } | { readonly template: NestedTemplate; readonly queue: NestedQueue } {
  if (capacity <= 0) return { template: nested, queue: null };
  const { template } = flattenNested(nested);
  return { template, queue: new NestedQueue(template, capacity) };
}
