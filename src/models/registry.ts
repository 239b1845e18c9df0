import { MonolithError, suggest } from '../base/index.js';
import { dcn } from './dcn.js';
import { deepfm } from './deepfm.js';
import type { ModelDefinition } from './define.js';
import { dlrm } from './dlrm.js';
import { dnn } from './dnn.js';
import { ffm } from './ffm.js';
import { fm } from './fm.js';
import { lr } from './lr.js';
import { wideDeep } from './wide-deep.js';
import { xdeepfm } from './xdeepfm.js';

/** The built-in models, simplest first. */
export const builtInModels: readonly ModelDefinition[] = [lr, fm, ffm, dnn, wideDeep, deepfm, dcn, xdeepfm, dlrm];

/** A built-in model by name. Throws UnknownModel with the known names. */
export function builtInModel(name: string): ModelDefinition {
  const found = builtInModels.find((model) => model.name === name);
  if (found !== undefined) return found;
  const names = builtInModels.map((model) => model.name);
  const near = suggest(name, names);
  throw new MonolithError(
    'UnknownModel',
    `unknown model "${name}"${near === null ? '' : `; did you mean ${near}?`} Known: ${names.join(', ')}; or a file such as ./my-model.js`,
    { model: name, known: names },
  );
}
