import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { MonolithError, SeededRandom } from '../../src/base/index.js';
import { Operation } from '../../src/proto/index.js';
import { duplexPair, type MessageDuplex } from '../../src/ps-rpc/index.js';
import { ChiefLink, Followers } from '../../src/runner/index.js';

type Line = {
  readonly followers: Followers;
  readonly answers: string[];
  /** 0 for the welcome, then sequences. */
  readonly commands: number[];
  readonly link: ChiefLink;
  readonly failures: MonolithError[];
  /** Ends of the present stream. */
  cut(): void;
  pass(open: boolean): void;
};

/** A chief with one worker that answers every command at once with loss = step / 2, over streams of this process. */
function open(options: { peerTimeoutMs: number; refuse?: MonolithError }): Line {
  const { peerTimeoutMs, refuse = null } = options;
  const answers: string[] = [];
  const commands: number[] = [];
  const failures: MonolithError[] = [];
  let present: MessageDuplex[] = [];
  let passing = true;
  const followers = new Followers({
    job: 'job',
    workers: 2,
    peerTimeoutMs,
    refuse: () => refuse,
    onAnswer: (worker, command, answer) => answers.push(`${worker}:${command.step}=${answer.loss}`),
    onFailure: (error) => failures.push(error),
  });
  const link: ChiefLink = new ChiefLink({
    worker: 1,
    config: '{}',
    version: '1',
    connect: async () => {
      if (!passing) throw new MonolithError('Unavailable', 'no way');
      const [here, there] = duplexPair('chief:1', 'worker:1');
      present = [here, there];
      followers.accept(there);
      return here;
    },
    peerTimeoutMs,
    barrierTimeoutMs: 10_000,
    onWelcome: (job) => commands.push(job === 'job' ? 0 : -1),
    onCommand: ({ sequence, step = 0 }) => {
      commands.push(sequence);
      link.answer({ sequence, loss: step / 2 });
    },
  });
  return {
    followers,
    answers,
    commands,
    link,
    failures,
    // Both ends learn of it at once, and what is under way is lost.
    cut: () => {
      for (const duplex of present) {
        duplex.onMessage = null;
        duplex.close();
        duplex.onEnd?.(null);
      }
    },
    pass: (open) => {
      passing = open;
    },
  };
}

async function until(claim: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!claim()) {
    assert.ok(performance.now() < deadline, what);
    await sleep(5);
  }
}

test('commands come once and in order, and each is answered once, however often the stream is cut', async () => {
  const line = open({ peerTimeoutMs: 10_000 });
  const random = new SeededRandom(7);
  try {
    const count = 120;
    for (let step = 1; step <= count; step++) {
      line.followers.send({ operation: Operation.train, step });
      if (random.nextBelow(4) === 0) await new Promise((resolve) => setImmediate(resolve));
      if (random.nextBelow(30) === 0) line.cut();
    }
    await until(() => line.answers.length >= count, 'all answers');
    await sleep(30);
    const steps = Array.from({ length: count }, (_, i) => i + 1);
    assert.deepEqual(line.commands, [0, ...steps]);
    assert.deepEqual(
      line.answers,
      steps.map((step) => `1:${step}=${step / 2}`),
    );
    assert.deepEqual(line.failures, []);
    const ended = line.followers.end(null, 5000);
    await line.link.ended;
    await ended;
  } finally {
    line.link.close();
    await line.followers.end(null, 0);
  }
});

test('a worker that stays away for longer than the peer timeout is named at the chief, and the chief at the worker', async () => {
  const line = open({ peerTimeoutMs: 400 });
  try {
    await line.followers.whenAllHere(10_000);
    await until(() => line.commands.length > 0, 'the welcome');
    line.pass(false);
    line.cut();
    await assert.rejects(line.link.ended, { code: 'Unavailable', message: /the chief at chief:1 has not been heard of for \d+ ms/ });
    await until(() => line.failures.length > 0, 'the failure');
    assert.equal(line.failures[0].code, 'Unavailable');
    assert.match(line.failures[0].message, /worker 1 \(worker:1\) has not been heard of for \d+ ms \(peer timeout 400 ms\)/);
  } finally {
    line.link.close();
    await line.followers.end(null, 0);
  }
});

test('a refused worker gets the reason, and the job goes on', async () => {
  const line = open({ peerTimeoutMs: 10_000, refuse: new MonolithError('InvalidConfig', 'seed differs') });
  try {
    await assert.rejects(line.link.ended, { code: 'InvalidConfig', message: 'seed differs' });
    assert.deepEqual(line.failures, []);
    await assert.rejects(line.followers.whenAllHere(20), {
      code: 'BarrierTimeout',
      message: /^Barrier timeout at the start after 20 ms: 1 of 2 workers arrived; worker 1: did not come to the chief/,
    });
  } finally {
    line.link.close();
    await line.followers.end(null, 0);
  }
});

test('a worker that is told to stop is named at the chief', async () => {
  const line = open({ peerTimeoutMs: 10_000 });
  try {
    await line.followers.whenAllHere(10_000);
    line.link.fail(new MonolithError('Cancelled', 'this process was told to stop'), null);
    await until(() => line.failures.length > 0, 'the failure');
    assert.equal(line.failures[0].code, 'Cancelled');
    assert.match(line.failures[0].message, /^worker 1 \(worker:1\) was told to stop, which ends the job/);
  } finally {
    line.link.close();
    await line.followers.end(null, 0);
  }
});

test("the chief's error reaches its workers with its code", async () => {
  const line = open({ peerTimeoutMs: 10_000 });
  try {
    await line.followers.whenAllHere(10_000);
    await line.followers.end(new MonolithError('DiskFull', 'no room'), 5000);
    await assert.rejects(line.link.ended, { code: 'DiskFull', message: 'the chief at chief:1 ended the job: no room' });
  } finally {
    line.link.close();
  }
});
