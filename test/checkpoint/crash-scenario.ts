import { writeSync } from 'node:fs';
import { prune } from '../../src/checkpoint/index.js';
import { save } from './fixture.js';

/** Steps that the crash tests save in turn; the last one is saved twice, which replaces it. */
export const scenarioSteps: readonly number[] = [1, 2, 3, 3];

/** Saves and prunes as training does, and tells each step whose save has returned. */
export async function runScenario(modelDir: string, acknowledge: (step: number) => void): Promise<void> {
  for (const step of scenarioSteps) {
    await save(modelDir, step);
    acknowledge(step);
    await prune(modelDir, 1, 1);
  }
}

// As a child process: node crash-scenario.js MODEL_DIR; prints a line a step.
if (process.argv[1]?.endsWith('crash-scenario.js') && process.argv[2] !== undefined) {
  await runScenario(process.argv[2], (step) => writeSync(1, `${step}\n`));
}
