import { selectBackend } from '../../src/kernels/index.js';

/** Ways to do shards' work that this machine has: in place needs tables that threads can share. */
export function shardWorkChoices(): ('threads' | 'in-place')[] {
  return selectBackend('auto').backend.name === 'native' ? ['threads', 'in-place'] : ['threads'];
}
