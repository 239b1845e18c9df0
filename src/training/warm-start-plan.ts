// What of a checkpoint fits into a model: names matched, nothing read but the manifest.
import { MonolithError } from '../base/index.js';
import type { CheckpointReader } from '../checkpoint/index.js';
import type { TrainingConfig } from '../config/index.js';
import type { ModelPlan } from '../models/index.js';
import type { DenseTensor } from '../ps/index.js';
import type { TableSpec } from '../steps/index.js';
import { denseTensors, tableSpecs } from './plan-run.js';
import { savedTables } from './snapshot.js';
import { idlePatterns, nameMatcher, type SlotFeature, slotFeatures, slotSchema } from './warm-start-names.js';
import { placesOf, type RowSource, type SliceCopy } from './warm-start-rows.js';

export type WarmStartSettings = TrainingConfig['warmStart'];

/** What a checkpoint's manifest says of its model and data. */
export type SavedModel = {
  readonly tables: readonly TableSpec[];
  readonly plans: ModelPlan['tables'];
  readonly parameters: ModelPlan['parameters'];
  readonly tensors: readonly DenseTensor[];
  readonly features: readonly SlotFeature[] | null;
};

export type Left = { readonly name: string; readonly reason: string };

/** What to load; `left` names what stays at its start, and what of the checkpoint has no place. */
export type WarmStartPlan = {
  /** [table] sources of its rows */
  readonly rows: readonly (readonly RowSource[])[];
  /** Slices that are taken over, `table, slice`. */
  readonly slices: readonly string[];
  /** Pairs of numbers: parameter of the checkpoint, parameter of the model. */
  readonly parameters: readonly (readonly [number, number])[];
  /** Parameters whose optimizer state is not taken over although it was asked for. */
  readonly left: readonly Left[];
};

type Fields = { readonly model?: ModelPlan; readonly config?: TrainingConfig; readonly data?: { readonly format?: string } };

/** Reads what the manifest says. @throws CheckpointIncompatible for one that holds no model */
export function savedModel(reader: CheckpointReader): SavedModel {
  const { model, config, data } = reader.manifest.fields as unknown as Fields;
  if (model?.tables === undefined || config?.optimizer === undefined) {
    throw new MonolithError('CheckpointIncompatible', `${reader.entry.path}: does not say what its model is; it can't be started from`);
  }
  return {
    tables: tableSpecs(config, model.tables),
    plans: model.tables,
    parameters: model.parameters,
    tensors: denseTensors(config, model.parameters),
    // Older checkpoints do not say which format `auto` found.
    features: slotFeatures(slotSchema(config.data, data?.format ?? config.data.format)),
  };
}

/** Matches names. @throws CheckpointIncompatible for equal names of unequal size, unless these are to be skipped; InvalidConfig when nothing fits */
export function planWarmStart(reader: CheckpointReader, saved: SavedModel, model: SavedModel, settings: WarmStartSettings): WarmStartPlan {
  const planner = new Planner(reader, saved, model, settings);
  return planner.plan();
}

class Planner {
  private readonly left: Left[] = [];
  private readonly mismatches: string[] = [];
  private readonly slices = new Set<string>();
  /** Slices of the checkpoint that found a place, `table, slice`. */
  private readonly used = new Set<string>();

  constructor(
    private readonly reader: CheckpointReader,
    private readonly saved: SavedModel,
    private readonly model: SavedModel,
    private readonly settings: WarmStartSettings,
  ) {}

  plan(): WarmStartPlan {
    const rows = this.model.tables.map((_, t) => this.rowsOf(t));
    this.unusedSlices();
    const parameters = this.denseParameters();
    this.idleSettings();
    const { path } = this.reader.entry;
    if (this.mismatches.length > 0 && this.settings.mismatch === 'refuse') {
      throw new MonolithError(
        'CheckpointIncompatible',
        `warm start from ${path}: ${this.mismatches.join('; ')}. Train with those sizes, choose others by warmStart.tables and warmStart.parameters, or set warmStart.mismatch to skip`,
        { mismatches: this.mismatches },
      );
    }
    if (rows.every((sources) => sources.length === 0) && parameters.length === 0) {
      const reasons = this.left.slice(0, 5).map(({ name, reason }) => `${name}: ${reason}`);
      throw new MonolithError('InvalidConfig', `warm start from ${path}: nothing of it fits this model (${reasons.join('; ')})`, { path });
    }
    return { rows, slices: [...this.slices], parameters, left: this.left };
  }

  private nameThere(name: string): string {
    return Object.hasOwn(this.settings.rename, name) ? this.settings.rename[name] : name;
  }

  /** Sources of one table of the model: the tables of the checkpoint that hold rows of its features with slices of its names. */
  private rowsOf(t: number): RowSource[] {
    const slots = this.featureSlots(t);
    const sources: RowSource[] = [];
    this.saved.tables.forEach((from, s) => {
      const own = slots === null ? null : (slots.get(s) ?? new Map<number, number>());
      if (own !== null && own.size === 0) return;
      const copies = this.copies(t, s);
      const table = savedTables(this.reader).find(({ name }) => name === from.name);
      if (copies.length > 0 && table !== undefined) sources.push({ table, slots: own, copies });
    });
    const { name, slices } = this.model.tables[t];
    const wanted = nameMatcher(this.settings.tables);
    for (const slice of slices) {
      const key = `${name}, ${slice.name}`;
      if (this.slices.has(key)) continue;
      const reason = !wanted(slice.name ?? '')
        ? 'not asked for (warmStart.tables)'
        : this.saved.tables.some((table) => table.slices.some((other) => other.name === this.nameThere(slice.name ?? '')))
          ? 'no rows of the same features and size'
          : `the checkpoint has no slice "${this.nameThere(slice.name ?? '')}"`;
      this.left.push({ name: `rows ${key}`, reason });
    }
    return sources;
  }

  /** Slots of the checkpoint to slots of table t, by table of the checkpoint; null where ids carry no slots of a schema. */
  private featureSlots(t: number): Map<number, Map<number, number>> | null {
    const { saved, model } = this;
    if (saved.features === null && model.features === null && model.tables.length === 1 && saved.tables.length === 1) return null;
    const result = new Map<number, Map<number, number>>();
    const fed = new Map<number, number>();
    for (const number of model.plans[t].features) {
      const feature = model.features?.[number];
      const leave = (reason: string): void => {
        this.left.push({ name: `feature ${feature?.name ?? number} in ${model.tables[t].name}`, reason });
      };
      const there = feature === undefined ? -1 : (saved.features ?? []).findIndex(({ name }) => name === this.nameThere(feature.name));
      const other = saved.features?.[there];
      const source = saved.plans.findIndex(({ features }) => features.includes(there));
      if (feature === undefined || other === undefined || source < 0) leave('the checkpoint has no such feature');
      else if (other.ids !== feature.ids) leave('its values have other ids in the checkpoint: another type or other boundaries');
      else {
        const slots = result.get(source) ?? new Map<number, number>();
        const taken = slots.get(other.slot);
        const from = source * 65536 + other.slot;
        if ((taken ?? feature.slot) !== feature.slot || (fed.get(feature.slot) ?? from) !== from)
          leave('shares its ids with another feature');
        else {
          slots.set(other.slot, feature.slot);
          fed.set(feature.slot, from);
          result.set(source, slots);
        }
      }
    }
    return result;
  }

  private copies(t: number, s: number): SliceCopy[] {
    const to = this.model.tables[t];
    const from = this.saved.tables[s];
    const places = placesOf(from);
    const wanted = nameMatcher(this.settings.tables);
    const copies: SliceCopy[] = [];
    placesOf(to).forEach((place, k) => {
      const at = places.findIndex(({ name }) => name === this.nameThere(place.name));
      if (at < 0 || !wanted(place.name)) return;
      const other = places[at];
      if (other.dim !== place.dim) {
        this.mismatches.push(`slice "${place.name}" has ${place.dim} values, ${other.dim} in the checkpoint`);
        return;
      }
      copies.push({ from: other.offset, to: place.offset, length: place.dim });
      this.slices.add(`${to.name}, ${place.name}`);
      this.used.add(`${from.name}, ${other.name}`);
      if (!this.settings.optimizerState) return;
      if (from.slices[at].optimizer.kind === to.slices[k].optimizer.kind) {
        copies.push({ from: other.stateOffset, to: place.stateOffset, length: place.stateLength });
      } else this.left.push({ name: `optimizer state of ${to.name}, ${place.name}`, reason: 'the update rule is another one' });
    });
    return copies;
  }

  private unusedSlices(): void {
    for (const { name, slices } of this.saved.tables) {
      for (const slice of slices) {
        const key = `${name}, ${slice.name}`;
        if (!this.used.has(key)) this.left.push({ name: `rows ${key} of the checkpoint`, reason: 'no slice of this model takes them' });
      }
    }
  }

  /** Names in the settings that nothing in the model has: without a word they would do nothing. */
  private idleSettings(): void {
    const { model, settings } = this;
    const slices = model.tables.flatMap((table) => table.slices.map(({ name }) => name ?? ''));
    const parameters = model.parameters.map(({ fullName }) => fullName);
    const features = (model.features ?? []).map(({ name }) => name);
    const idle = (name: string, reason: string): void => void this.left.push({ name, reason });
    for (const pattern of idlePatterns(settings.tables, slices)) {
      idle(`"${pattern}" of warmStart.tables`, `matches no slice of this model: ${slices.join(', ')}`);
    }
    for (const pattern of idlePatterns(settings.parameters, parameters)) {
      idle(`"${pattern}" of warmStart.parameters`, 'matches no dense parameter of this model');
    }
    const known = new Set([...slices, ...parameters, ...features]);
    for (const name of Object.keys(settings.rename)) {
      if (!known.has(name)) idle(`"${name}" of warmStart.rename`, 'this model has no slice, feature or dense parameter of that name');
    }
  }

  private denseParameters(): [number, number][] {
    const { saved, model, settings } = this;
    const wanted = nameMatcher(settings.parameters);
    const pairs: [number, number][] = [];
    model.parameters.forEach((parameter, p) => {
      const { fullName, shape } = parameter;
      const leave = (reason: string): void => void this.left.push({ name: `parameter ${fullName}`, reason });
      const there = saved.parameters.findIndex((other) => other.fullName === this.nameThere(fullName));
      const other = saved.parameters[there];
      if (!wanted(fullName)) leave('not asked for (warmStart.parameters)');
      else if (other === undefined) leave('the checkpoint has no parameter of this name');
      else if (shape.join() !== other.shape.join()) {
        const sizes = `has the shape ${shape.join(' × ')}, ${other.shape.join(' × ')} in the checkpoint`;
        this.mismatches.push(`parameter "${fullName}" ${sizes}`);
        leave(sizes);
      } else {
        pairs.push([there, p]);
        const sameRule = saved.tensors[there].optimizer.kind === model.tensors[p].optimizer.kind;
        if (settings.optimizerState && !sameRule) leave('its optimizer state: the update rule is another one');
      }
    });
    saved.parameters.forEach(({ fullName }, there) => {
      if (pairs.some(([from]) => from === there)) return;
      this.left.push({ name: `parameter ${fullName} of the checkpoint`, reason: 'no parameter of this model takes it' });
    });
    return pairs;
  }
}
