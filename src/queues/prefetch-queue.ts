import { MonolithError } from '../base/index.js';

type Waiting<T> = { readonly resolve: (value: T) => void; readonly reject: (error: MonolithError) => void };
type WaitingPut<T> = Waiting<void> & { readonly item: T };

/**
 * Items in order of arrival, at most `capacity` of them: who puts one into a full queue waits, and so does who takes one out of an empty queue.
 * {@link tryEnqueue}, {@link peek} and {@link tryDequeue} never wait and allocate nothing.
 *
 * ```ts
 * const queue = new PrefetchQueue<Batch>(2);
 * await queue.enqueue(batch);
 * const next = await queue.dequeue();
 * ```
 */
export class PrefetchQueue<T> {
  /** Most items at a time; at least 1. */
  readonly capacity: number;
  /** A ring: the items are the `count` ones from `first` on. */
  private readonly slots: (T | undefined)[];
  private first = 0;
  private count = 0;
  private isClosed = false;
  private puts: WaitingPut<T>[] = [];
  private takes: Waiting<T>[] = [];

  /** @param capacity raised to 1. @throws InvalidArgument for what is no whole number */
  constructor(capacity: number) {
    if (!Number.isSafeInteger(capacity))
      throw new MonolithError('InvalidArgument', `PrefetchQueue: capacity: expected a whole number, got ${capacity}`);
    this.capacity = Math.max(1, capacity);
    this.slots = new Array<T | undefined>(this.capacity).fill(undefined);
  }

  /** Items in the queue; those of waiting callers not counted. */
  get size(): number {
    return this.count;
  }

  get closed(): boolean {
    return this.isClosed;
  }

  /** Puts an item behind the others, once there is room. @throws QueueClosed, also when the queue is closed during the wait */
  enqueue(item: T): Promise<void> {
    if (this.isClosed) return Promise.reject(queueClosed());
    if (this.tryEnqueue(item)) return Promise.resolve();
    return new Promise((resolve, reject) => this.puts.push({ item, resolve, reject }));
  }

  /** Puts an item behind the others if there is room now and nobody waits for some. @throws QueueClosed */
  tryEnqueue(item: T): boolean {
    if (this.isClosed) throw queueClosed();
    // Who waits for an item finds the queue empty.
    const take = this.takes.shift();
    if (take !== undefined) {
      take.resolve(item);
      return true;
    }
    if (this.count === this.capacity) return false;
    this.put(item);
    return true;
  }

  /** The first item, once there is one. A closed queue gives what is left. @throws QueueClosed when it is closed and empty */
  dequeue(): Promise<T> {
    if (this.count > 0) return Promise.resolve(this.take());
    if (this.isClosed) return Promise.reject(queueClosed());
    return new Promise((resolve, reject) => this.takes.push({ resolve, reject }));
  }

  /** The first item, taken out; undefined when there is none. */
  tryDequeue(): T | undefined {
    return this.count === 0 ? undefined : this.take();
  }

  /** The first item, which stays; undefined when there is none. */
  peek(): T | undefined {
    return this.count === 0 ? undefined : this.slots[this.first];
  }

  /** Refuses further items, those of waiting callers among them; what is in the queue can still be taken out. Twice is fine. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    const waiting: Pick<Waiting<never>, 'reject'>[] = [...this.puts, ...this.takes];
    this.puts = [];
    this.takes = [];
    for (const { reject } of waiting) reject(queueClosed());
  }

  private put(item: T): void {
    this.slots[(this.first + this.count) % this.capacity] = item;
    this.count++;
  }

  private take(): T {
    const item = this.slots[this.first] as T;
    this.slots[this.first] = undefined;
    this.first = (this.first + 1) % this.capacity;
    this.count--;
    const waiting = this.puts.length === 0 ? undefined : this.puts.shift();
    if (waiting !== undefined) {
      this.put(waiting.item);
      waiting.resolve();
    }
    return item;
  }
}

function queueClosed(): MonolithError {
  return new MonolithError('QueueClosed', 'queue closed');
}
