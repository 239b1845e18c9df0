import type { BatchLayout, BatchSlot } from '../../tensor/index.js';
import type { DataInputs } from '../inputs.js';
import type { PipelineOptions } from '../options.js';
import { BatchPipeline } from '../pipeline.js';
import type { DataPosition } from '../position.js';
import type { DataStats } from '../stats.js';
import type { StreamFacts, TrainData } from '../train-data.js';
import type { StreamOptions } from './stream-options.js';
import { StreamPipeline } from './stream-pipeline.js';
import { splitSources } from './stream-plan.js';

/**
 * Opens what `files` names: sources of a stream, and files, which are then read first and to their end.
 * @throws what {@link BatchPipeline.open} and {@link StreamPipeline.open} throw
 */
export async function openStreamData(options: Partial<PipelineOptions>, settings: Partial<StreamOptions>): Promise<TrainData> {
  const { files, specs } = splitSources(options.files ?? []);
  if (files.length === 0) return StreamPipeline.open({ ...options, files: specs }, settings);
  const history = await BatchPipeline.open({ ...options, files });
  try {
    return new HistoryThenStream(history, await StreamPipeline.open({ ...options, files: specs }, settings, history.stats().format));
  } catch (error) {
    await history.close();
    throw error;
  }
}

/** Files to their end, all epochs, then a stream. */
class HistoryThenStream implements TrainData {
  private inStream = false;

  constructor(
    private readonly history: BatchPipeline,
    private readonly live: StreamPipeline,
  ) {}

  get layout(): BatchLayout {
    return this.history.layout;
  }

  get files(): readonly string[] {
    return [...this.history.files, ...this.live.files];
  }

  get identity(): string {
    return `${this.history.identity},${this.live.identity}`;
  }

  get inputs(): DataInputs {
    return this.history.inputs;
  }

  get stream(): StreamFacts {
    return this.live.stream;
  }

  get position(): DataPosition {
    return this.inStream ? this.live.position : this.history.position;
  }

  async nextStep(slots: readonly BatchSlot[]): Promise<number> {
    if (!this.inStream) {
      const examples = await this.history.nextStep(slots);
      if (examples > 0) {
        // Their time is over: they belong to no window.
        this.live.stream.eventTimes.fill(Number.NaN);
        return examples;
      }
      await this.live.seek(this.history.position);
      this.inStream = true;
    }
    return this.live.nextStep(slots);
  }

  async seek(position: DataPosition): Promise<void> {
    this.inStream = position.stream !== undefined;
    if (this.inStream) await this.live.seek(position);
    else await this.history.seek(position);
  }

  async rewind(): Promise<void> {
    await this.live.rewind();
    await this.history.rewind();
    this.inStream = false;
  }

  async settle(): Promise<void> {
    if (!this.inStream) await this.history.settle();
  }

  stats(): DataStats {
    // A stream has no end: neither has the whole.
    return { ...(this.inStream ? this.live.stats() : this.history.stats()), progress: null };
  }

  async close(): Promise<void> {
    await this.live.close();
    await this.history.close();
  }
}
