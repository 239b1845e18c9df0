import { MonolithError } from './errors.js';

/**
 * States what must hold at this point of our own code. For input from outside raise the error that fits instead.
 *
 * @param condition what must be true.
 * @param where     function or part, e.g. `Ring.push`.
 * @param message   what was broken, with the values.
 * @throws Internal if the condition is false.
 */
export function invariant(condition: boolean, where: string, message: string): asserts condition {
  if (!condition) {
    throw new MonolithError('Internal', `${where}: ${message}. This is a defect of monolith-local; please report it with this line`, {
      where,
    });
  }
}
