import { z } from 'zod';
import { boolean, choice, nullableText, object, text } from './option.js';

const names = z.record(z.string().min(1), z.string().min(1));

/** Options of `warmStart`: what a new training takes over from a checkpoint of another model or other data. */
export const warmStartOptions = {
  from: nullableText(
    'a checkpoint, or a folder that has one',
    z.string().min(1),
    'Start a new training from the rows and dense parameters of this checkpoint, matched by name; step and data begin anew. A run folder with checkpoints goes on from its own. null: none.',
    { path: 'folder', flag: 'warm-start' },
  ),
  tables: text('*', 'Slices of embedding rows that are taken over: names or patterns with *, separated by commas; none takes none.'),
  parameters: text('*', 'Dense parameters that are taken over: names or patterns with *, separated by commas; none takes none.'),
  rename: object<Readonly<Record<string, string>>>(
    {},
    names,
    'Slices, features and dense parameters with other names in the checkpoint: {name in this model: name in the checkpoint}.',
  ),
  optimizerState: boolean(
    false,
    'Take over the optimizer state too, where the update rule is the same; without it every value starts with a new one.',
  ),
  mismatch: choice(
    'refuse',
    ['refuse', 'skip'],
    'What has the same name and another size: refuse ends the run, skip leaves it at its start.',
  ),
};
