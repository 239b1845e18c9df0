import type { BatchPipeline } from '../data/index.js';
import { type BinaryMetrics, evaluateBinary, evaluateRegression, type RegressionMetrics } from '../metrics/index.js';
import { labelOutOfRange } from '../models/index.js';
import type { TrainingEngine } from './engine.js';

export type EvaluationMetrics = BinaryMetrics | RegressionMetrics;

/** Logits, labels and weights of a data set in its order; grows by doubling. */
class Scores {
  logits = new Float32Array(1 << 16);
  labels = new Float32Array(1 << 16);
  weights = new Float32Array(1 << 16);
  length = 0;

  append(logits: Float32Array, labels: Float32Array, weights: Float32Array, count: number): void {
    if (this.length + count > this.logits.length) {
      const capacity = Math.max(this.logits.length * 2, this.length + count);
      const grow = (old: Float32Array): Float32Array<ArrayBuffer> => {
        const larger = new Float32Array(capacity);
        larger.set(old.subarray(0, this.length));
        return larger;
      };
      this.logits = grow(this.logits);
      this.labels = grow(this.labels);
      this.weights = grow(this.weights);
    }
    this.logits.set(logits.subarray(0, count), this.length);
    this.labels.set(labels.subarray(0, count), this.length);
    this.weights.set(weights.subarray(0, count), this.length);
    this.length += count;
  }
}

/**
 * Runs a data set through the model without learning, in its order, and hands each worker batch on. The engine must be synced; so it is after.
 *
 * @param receive called in data order with views that are valid only during the call.
 * @param stop    gives up between two batches.
 * @param steps   rounds at the most: a batch of every worker each.
 * @returns whether the data were read to their end, or as far as `steps` goes.
 */
export async function scoreAll(
  engine: TrainingEngine,
  pipeline: BatchPipeline,
  receive: (logits: Float32Array, labels: Float32Array, weights: Float32Array, count: number) => void | Promise<void>,
  stop: AbortSignal | null = null,
  steps = Number.POSITIVE_INFINITY,
): Promise<boolean> {
  const last = engine.rounds + steps;
  let collected = engine.rounds;
  const collect = async (): Promise<void> => {
    await engine.awaitRound(collected);
    for (let w = 0; w < engine.spec.workers; w++) {
      const { batch, logits } = engine.result(collected, w);
      const count = batch.numExamples;
      if (count > 0) await receive(logits, batch.labels, batch.weights, count);
    }
    collected++;
  };
  for (;;) {
    if (stop?.aborted === true || engine.rounds >= last) break;
    if (engine.rounds - collected >= engine.maxInFlight) await collect();
    const slots = await engine.acquire();
    if ((await engine.whileSound(pipeline.nextStep(slots))) === 0) break;
    await engine.submitEvaluate();
  }
  while (collected < engine.rounds) await collect();
  await engine.sync();
  return stop?.aborted !== true;
}

/**
 * Exact metrics over the whole data set; the pipeline is read from where it stands to its end, or for `steps` rounds.
 * @throws DataFormat for a label outside 0 … 1
 */
export async function evaluate(engine: TrainingEngine, pipeline: BatchPipeline, stop?: null, steps?: number): Promise<EvaluationMetrics>;
/** The same, or null when `stop` fired before the end. */
export async function evaluate(
  engine: TrainingEngine,
  pipeline: BatchPipeline,
  stop: AbortSignal | null,
  steps?: number,
): Promise<EvaluationMetrics | null>;
export async function evaluate(
  engine: TrainingEngine,
  pipeline: BatchPipeline,
  stop: AbortSignal | null = null,
  steps = Number.POSITIVE_INFINITY,
): Promise<EvaluationMetrics | null> {
  const scores = new Scores();
  const take = (logits: Float32Array, labels: Float32Array, weights: Float32Array, count: number): void =>
    scores.append(logits, labels, weights, count);
  const whole = await scoreAll(engine, pipeline, take, stop, steps);
  if (!whole) return null;
  const logits = scores.logits.subarray(0, scores.length);
  const labels = scores.labels.subarray(0, scores.length);
  const weights = scores.weights.subarray(0, scores.length);
  if (engine.spec.plan.loss !== 'bce') return evaluateRegression(logits, labels, weights);
  for (const label of labels) if (label < 0 || label > 1) throw labelOutOfRange(label);
  return evaluateBinary(logits, labels, weights);
}
