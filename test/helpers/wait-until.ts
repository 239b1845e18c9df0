import assert from 'node:assert/strict';

/** Milliseconds between two looks at a condition. */
const LOOK_MS = 20;

/** Waits until the condition gives something other than false, null or undefined, and gives that; fails with its name after the deadline. */
export async function waitUntil<T>(
  name: string,
  condition: () => T | Promise<T>,
  deadlineMs = 20_000,
): Promise<NonNullable<Exclude<T, false>>> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const value = await condition();
    if (value !== false && value !== null && value !== undefined) return value as NonNullable<Exclude<T, false>>;
    assert.ok(performance.now() < end, `not within ${deadlineMs} ms: ${name}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
