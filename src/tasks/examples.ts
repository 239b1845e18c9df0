import { fileURLToPath } from 'node:url';
import type { Task } from './task.js';

/** Examples whose data come with the package. */
const EXAMPLES: Readonly<Record<string, string>> = { 'examples.adult': 'adult.yaml', 'examples.adult_lr': 'adult-lr.yaml' };

/** Tasks that there are without any module of the user's. */
export function exampleTasks(): Record<string, Task> {
  const folder = new URL('../../../examples/', import.meta.url);
  return Object.fromEntries(Object.entries(EXAMPLES).map(([name, file]) => [name, { config: fileURLToPath(new URL(file, folder)) }]));
}
