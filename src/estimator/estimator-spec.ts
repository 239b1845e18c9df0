import { MonolithError } from '../base/index.js';

/** What a model is asked for. */
export type EstimatorMode = 'train' | 'eval' | 'predict';

/** Fields of an {@link EstimatorSpec}; T is the type of labels and predictions, O that of the optimizer. */
export type EstimatorSpecFields<T = readonly number[], O = unknown> = {
  readonly mode: EstimatorMode;
  readonly label: T | null;
  readonly pred: T | null;
  readonly headName: string | null;
  readonly loss: number | null;
  readonly optimizer: O | null;
  readonly classification: boolean;
};

/** The names of {@link EstimatorSpecFields}. */
const names = ['mode', 'label', 'pred', 'headName', 'loss', 'optimizer', 'classification'] as const;

/**
 * What a model function says of one call: mode, labels, predictions, loss, optimizer. Immutable. Defaults: headName, loss and optimizer null,
 * classification true; label and pred null where a mode has none.
 */
export class EstimatorSpec<T = readonly number[], O = unknown> implements EstimatorSpecFields<T, O> {
  readonly mode: EstimatorMode;
  readonly label: T | null;
  readonly pred: T | null;
  readonly headName: string | null;
  readonly loss: number | null;
  readonly optimizer: O | null;
  readonly classification: boolean;

  /** @throws InvalidArgument for a mode or a field that does not exist. */
  constructor(fields: Pick<EstimatorSpecFields<T, O>, 'mode'> & Partial<EstimatorSpecFields<T, O>>) {
    refuseUnknown(fields);
    const { mode, label = null, pred = null, headName = null, loss = null, optimizer = null, classification = true } = fields;
    if (mode !== 'train' && mode !== 'eval' && mode !== 'predict') {
      throw new MonolithError('InvalidArgument', `EstimatorSpec: mode is ${JSON.stringify(mode)}, expected train, eval or predict`);
    }
    this.mode = mode;
    this.label = label;
    this.pred = pred;
    this.headName = headName;
    this.loss = loss;
    this.optimizer = optimizer;
    this.classification = classification;
    Object.freeze(this);
  }

  /**
   * A copy with the given fields changed; null sets a field to none, undefined leaves it. The mode can't be changed: it may be given only where
   * it is the same.
   * @throws SpecModeChange with `current` and `requested` in its details; InvalidArgument for a field that does not exist.
   */
  replace(update: Partial<EstimatorSpecFields<T, O>>): EstimatorSpec<T, O> {
    const { mode } = update;
    if (mode !== undefined && mode !== this.mode) {
      throw new MonolithError('SpecModeChange', `Cannot change EstimatorSpec mode from ${this.mode} to ${mode}; make a new EstimatorSpec`, {
        current: this.mode,
        requested: mode,
      });
    }
    const given = Object.entries(update).filter(([, value]) => value !== undefined);
    return new EstimatorSpec<T, O>({ ...this, ...(Object.fromEntries(given) as Partial<EstimatorSpecFields<T, O>>) });
  }
}

function refuseUnknown(fields: object): void {
  const unknown = Object.keys(fields).find((key) => !(names as readonly string[]).includes(key));
  if (unknown !== undefined) {
    throw new MonolithError('InvalidArgument', `EstimatorSpec: no field "${unknown}"; it has ${names.join(', ')}`, { field: unknown });
  }
}
