import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MonolithError } from '../../src/base/index.js';
import { MemoryDiscovery, serviceAt } from '../../src/discovery/index.js';
import { Peers } from '../../src/runner/peers.js';

const types = { ps: 'ps', worker: 'worker' };

/** A discovery whose next questions are answered as told. */
class Moody extends MemoryDiscovery {
  mood: 'well' | 'down' | 'silent' = 'well';
  questions = 0;

  override discover(type: string): ReturnType<MemoryDiscovery['discover']> {
    this.questions++;
    if (this.mood === 'down') return Promise.reject(new MonolithError('Discovery', 'the backend is down'));
    return this.mood === 'silent' ? new Promise(() => {}) : super.discover(type);
  }
}

test('while the discovery is down or silent the last address of a process is tried, and a new one once it answers', async () => {
  const discovery = new Moody();
  await discovery.register(serviceAt('ps', 1, '127.0.0.1:1000'));
  const peers = new Peers(discovery, types);
  assert.equal(await peers.address('ps', 1), '127.0.0.1:1000');
  discovery.mood = 'down';
  assert.equal(await peers.address('ps', 1), '127.0.0.1:1000');
  // Nothing is known of the others.
  await assert.rejects(peers.address('ps', 0), { code: 'Discovery' });
  discovery.mood = 'well';
  await discovery.register(serviceAt('ps', 1, '127.0.0.1:1001'));
  assert.equal(await peers.address('ps', 1), '127.0.0.1:1001');
  await discovery.deregister(serviceAt('ps', 1, '127.0.0.1:1001'));
  await assert.rejects(peers.address('ps', 1), { code: 'Unavailable', message: /parameter server 1 is not announced/ });
  await discovery.register(serviceAt('ps', 1, '127.0.0.1:1001'));
  await peers.address('ps', 1);
  discovery.mood = 'silent';
  const { questions } = discovery;
  for (let i = 0; i < 20; i++) assert.equal(await peers.address('ps', 1), '127.0.0.1:1001');
  // One question at a time.
  assert.equal(discovery.questions, questions + 1);
});
