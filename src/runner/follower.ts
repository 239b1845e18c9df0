import { MonolithError } from '../base/index.js';
import { WorkerHost } from '../cluster/index.js';
import type { TrainingConfig } from '../config/index.js';
import type { BatchPipeline, DataPosition } from '../data/index.js';
import { type Answer, type BeginOrder, type Command, Operation } from '../proto/index.js';
import type { ShardLine } from '../ps/index.js';
import { bindModel, hasEvaluationData, LOSS_HISTORY, openPipeline, type RunSpec, specOfRun, WorkerOp } from '../training/index.js';
import { type Bridge, fingerprintOf } from './distributed-engine.js';

export type FollowerParts = {
  readonly config: TrainingConfig;
  readonly worker: number;
  readonly openBridge: (line: ShardLine, spec: RunSpec) => Bridge;
  readonly answer: (answer: Answer) => void;
};

/**
 * A worker of a run whose chief is elsewhere: reads the same data as everybody, keeps its own part of each step, carries out the chief's
 * commands in order.
 */
export class Follower {
  /** Rejects with what ended this worker; never fulfilled. */
  readonly failed: Promise<never>;
  /** Commands are carried out one after another; answers come one after another, later. */
  private commands: Promise<void> = Promise.resolve();
  private answers: Promise<void> = Promise.resolve();
  private readonly bridges: Bridge[] = [];
  private rounds = 0;
  private syncs = 0;
  /** The next evaluation step begins at the start of the data. */
  private evaluationAnew = true;
  private failure: MonolithError | null = null;
  private reject: (error: MonolithError) => void = () => {};

  private constructor(
    private readonly parts: FollowerParts,
    private readonly host: WorkerHost,
    private readonly train: BatchPipeline,
    private readonly evaluation: BatchPipeline | null,
  ) {
    this.failed = new Promise<never>((_, reject) => {
      this.reject = reject;
    });
    this.failed.catch(() => {});
  }

  /** Opens the data and starts the worker's thread. @throws what the data or the thread failed with. */
  static async start(parts: FollowerParts): Promise<Follower> {
    const { config, worker } = parts;
    const bound = await bindModel(config, 'train');
    const train = await openPipeline(config, 'train', bound, worker);
    let evaluation: BatchPipeline | null = null;
    try {
      evaluation = hasEvaluationData(config) ? await openPipeline(config, 'evaluate', bound, worker) : null;
      const host = await WorkerHost.start(specOfRun(config, bound, train), worker);
      const follower = new Follower(parts, host, train, evaluation);
      // What ends the thread ends the worker, whatever it waits for.
      host.supervisor.whileSound(new Promise<never>(() => {})).catch((error: unknown) => follower.fail(error));
      return follower;
    } catch (error) {
      await evaluation?.close();
      await train.close();
      throw error;
    }
  }

  /** The batch of a NonFiniteLoss, as JSON, if there was one. */
  get badBatch(): string | null {
    const { badBatch } = this.host.supervisor;
    return badBatch === null ? null : JSON.stringify(badBatch);
  }

  /** Puts a command behind those that are under way. */
  command(command: Command): void {
    this.commands = this.commands.then(async () => {
      if (this.failure !== null) return;
      try {
        await this.carryOut(command);
      } catch (error) {
        this.fail(await this.host.supervisor.explain(error));
      }
    });
  }

  /**
   * Ends the thread, the lines and the data.
   * @param reason what ended the job; null when it is done, so that the thread has nothing left to wait for.
   */
  async close(reason: MonolithError | null): Promise<void> {
    if (reason !== null) this.host.fail(reason);
    this.failure ??= new MonolithError('Aborted', 'the worker is closed');
    await this.host.close();
    for (const bridge of this.bridges) bridge.close();
    await this.evaluation?.close();
    await this.train.close();
  }

  private async carryOut(command: Command): Promise<void> {
    const { host, parts } = this;
    const { operation, sequence, slot = 0, step = 0, examples = 0 } = command;
    switch (operation) {
      case Operation.begin:
        await this.begin(command.begin);
        parts.answer({ sequence });
        break;
      case Operation.train:
        this.evaluationAnew = true;
        await this.fill(this.train, slot, examples, 'training');
        await host.send(WorkerOp.train, slot, step);
        this.answerRound(command);
        break;
      case Operation.evaluate: {
        const { evaluation } = this;
        if (evaluation === null) throw new MonolithError('DataFormat', 'the chief evaluates, but this worker has no evaluation data');
        if (this.evaluationAnew) await evaluation.rewind();
        this.evaluationAnew = false;
        await this.fill(evaluation, slot, examples, 'evaluation');
        await host.send(WorkerOp.evaluate, slot, 0);
        this.answerRound(command);
        break;
      }
      case Operation.sync: {
        this.evaluationAnew = true;
        const sync = ++this.syncs;
        await host.send(WorkerOp.sync, 0, sync);
        this.answerWhen(
          () => host.memory.synced[parts.worker].waitForAsync(sync, host.spec.stepTimeoutMs),
          () => ({ sequence }),
        );
        break;
      }
      default:
        throw new MonolithError('InvalidArgument', `the chief sent operation ${operation}, which this version does not know`);
    }
  }

  private async begin(order: BeginOrder | undefined): Promise<void> {
    const { host, train, evaluation, parts } = this;
    if (order === undefined) throw new MonolithError('InvalidArgument', 'the chief told to begin, but not where');
    const differ = (what: string, here: string, there: string): MonolithError =>
      new MonolithError(
        'InvalidConfig',
        `worker ${parts.worker}: ${what} (here ${here || 'none'}, at the chief ${there || 'none'}): every host must see the same files, in the same order`,
        {
          worker: parts.worker,
        },
      );
    if (order.trainIdentity !== train.identity) throw differ('other training data than the chief', train.identity, order.trainIdentity);
    const evalIdentity = evaluation?.identity ?? '';
    if ((order.evalIdentity ?? '') !== evalIdentity) throw differ('other evaluation data than the chief', evalIdentity, order.evalIdentity);
    if (order.fingerprint !== fingerprintOf(host.spec)) {
      throw new MonolithError(
        'InvalidConfig',
        `worker ${parts.worker}: the same configuration makes another model here than at the chief: the model file or the program differs`,
        {
          worker: parts.worker,
        },
      );
    }
    await train.seek(JSON.parse(order.position) as DataPosition);
    for (const line of host.lines) {
      const bridge = parts.openBridge(line, host.spec);
      bridge.failed.catch((error: unknown) => host.fail(MonolithError.from(error)));
      this.bridges.push(bridge);
    }
    await Promise.all(this.bridges.map(({ ready }) => ready));
  }

  /** The worker's part of the next step into a slot, once the slot is free. */
  private async fill(pipeline: BatchPipeline, slot: number, examples: number, what: string): Promise<void> {
    const { host, parts } = this;
    const { memory, spec } = host;
    await memory.done[parts.worker].waitForAsync(this.rounds - spec.slotsPerWorker + 1, spec.stepTimeoutMs);
    const count = await pipeline.nextStep(memory.slots.map((own) => own[slot]));
    if (count === examples) return;
    throw new MonolithError(
      'DataFormat',
      `worker ${parts.worker}: the ${what} data have ${count} examples where the chief has ${examples}: the files differ between hosts`,
      { worker: parts.worker, expected: examples, actual: count },
    );
  }

  private answerRound({ sequence, operation, slot = 0, step = 0 }: Command): void {
    const { host, parts } = this;
    const { worker } = parts;
    const { memory, spec } = host;
    const round = ++this.rounds;
    // The time limit is one of a step: it begins when the step before is done.
    const done = (): Promise<unknown> => memory.done[worker].waitForAsync(round, spec.stepTimeoutMs);
    this.answerWhen(done, () => {
      const stats = Array.from(memory.workerStats[worker]);
      const examples = memory.slots[worker][slot].numExamples;
      if (operation === Operation.train) return { sequence, loss: memory.losses[worker][step % LOSS_HISTORY], examples, stats };
      const { buffer, byteOffset } = memory.logits[worker][slot];
      return { sequence, examples, stats, logits: new Uint8Array(buffer, byteOffset, examples * 4).slice() };
    });
  }

  /** Answers after a wait and after all answers before. */
  private answerWhen(wait: () => Promise<unknown>, make: () => Answer): void {
    this.answers = this.answers.then(async () => {
      try {
        await wait();
        if (this.failure === null) this.parts.answer(make());
      } catch (error) {
        this.fail(await this.host.supervisor.explain(error));
      }
    });
  }

  private fail(error: unknown): void {
    if (this.failure !== null) return;
    this.failure = MonolithError.from(error);
    this.reject(this.failure);
  }
}
