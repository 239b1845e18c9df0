import { MonolithError } from '../base/index.js';
import type { TrainHook } from './hooks.js';

const METHODS = [
  'onStart',
  'begin',
  'beforeStep',
  'afterStep',
  'onProgress',
  'onEvaluation',
  'onWindow',
  'onCheckpoint',
  'end',
  'onEnd',
  'close',
];

/** What is wrong with something given as a hook, as the end of a sentence; null: nothing. A misspelt method would never be called, and nobody would know. */
export function faultOfHook(hook: unknown): string | null {
  if (typeof hook === 'function') return 'is a function or class, expected an object with methods; make one with new';
  if (typeof hook !== 'object' || hook === null)
    return `is ${hook === null ? 'null' : `a ${typeof hook}`}, expected an object with methods`;
  const has = (method: string): boolean => typeof (hook as Record<string, unknown>)[method] === 'function';
  return [...METHODS, 'state', 'restore'].some(has) ? null : `has none of the methods of a hook: ${METHODS.join(', ')}`;
}

/** Hooks that a program gave: without a compiler's help anything may come. @throws InvalidArgument naming the place */
export function checkHooks(hooks: unknown): readonly TrainHook[] {
  if (!Array.isArray(hooks)) throw new MonolithError('InvalidArgument', 'hooks: expected a list of hooks, [hook]');
  for (const [i, hook] of hooks.entries()) {
    const fault = faultOfHook(hook);
    if (fault !== null) throw new MonolithError('InvalidArgument', `hooks[${i}] ${fault}`, { index: i });
  }
  return hooks as readonly TrainHook[];
}
