import { MonolithError } from '../../src/base/index.js';

/** A check for `assert.rejects`: an error of this code whose message fits. */
export function hasCode(code: string, text: RegExp = /./): (error: unknown) => boolean {
  return (error) => {
    if (!(error instanceof MonolithError) || error.code !== code) throw error;
    if (!text.test(error.message)) throw new Error(`message does not fit ${text}: ${error.message}`);
    return true;
  };
}
