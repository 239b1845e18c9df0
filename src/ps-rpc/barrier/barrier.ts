/** A place where workers wait for each other. */
export interface Barrier {
  /**
   * Resolves when `numWorkers` workers wait here.
   * @param barrierId names the meeting; an id may be used again at once.
   * @param workerId  in 0 … numWorkers−1.
   */
  wait(barrierId: string, workerId: number, numWorkers: number): Promise<void>;
}
