// Records of any feature schema with a planted truth: each value of a feature has a weight, the label follows the sum of a record's weights.
import { mix64, SeededRandom, seedFromNames, type Uint64Halves } from '../../base/index.js';
import type { FeatureSchema, FeatureSpec } from '../../features/index.js';
import type { BatchBuilder } from '../batch-builder.js';
import type { RecordField } from '../record-batch.js';

/** Values that a categorical column has. */
const VALUES = 1000;
/** Most values of a list without a maxLength. */
const LIST_VALUES = 5;
/** Share of records in which a column is missing. */
const MISSING = 0.02;
/** How much one feature says; together they leave a good part to chance. */
const WEIGHT = 0.4;

type Column = { readonly name: string; readonly spec: FeatureSpec | null };

export class SchemaMaker {
  readonly fields: readonly RecordField[];
  private readonly columns: readonly Column[];
  private readonly cumulative: Float64Array;
  private readonly mixed: Uint64Halves = { low: 0, high: 0 };

  constructor(
    private readonly schema: FeatureSchema,
    private readonly seed: number,
    zipf: number,
  ) {
    const specs = new Map(schema.features.map((feature) => [feature.column ?? feature.name, feature] as const));
    const label = schema.label.column;
    const others = [schema.weight?.column, schema.label.greaterThan?.column].filter((name): name is string => name !== undefined);
    const names = schema.columns ?? [label, ...new Set([...others, ...specs.keys()])].filter((name, i, all) => all.indexOf(name) === i);
    this.columns = names.map((name) => ({ name, spec: specs.get(name) ?? null }));
    this.fields = this.columns.map(({ name, spec }) => {
      if (name === label && Array.isArray(schema.label.positive)) return { name, kind: 'text', isList: false };
      if (name !== label && spec?.type === 'categorical') return { name, kind: 'text', isList: false };
      return { name, kind: 'float64', isList: false };
    });
    let sum = 0;
    this.cumulative = Float64Array.from({ length: VALUES }, (_, k) => (sum += (k + 1) ** -zipf));
  }

  /** Adds one record, a function of (schema, seed, zipf, record); whether its label is positive. */
  make(builder: BatchBuilder, record: number): boolean {
    const random = new SeededRandom(seedFromNames(this.seed, 'made record', record));
    const { label, weight } = this.schema;
    let logit = -1;
    let labelAt = -1;
    let threshold: number | null = null;
    this.columns.forEach(({ name, spec }, c) => {
      if (name === label.column) labelAt = c;
      else if (name === weight?.column) builder.add(c, 1);
      else if (random.nextFloat() < MISSING && name !== label.greaterThan?.column) return;
      else if (spec?.type === 'categorical') {
        const values = this.names(spec, random);
        for (const value of values) logit += (WEIGHT * this.weightOf(c, value)) / values.length;
        builder.add(c, values.map((value) => `${spec.name}_${value}`).join(spec.separator ?? ''));
      } else {
        const value = Math.round(Math.exp(1.5 * random.nextNormal() + 2) * 100) / 100;
        if (name === label.greaterThan?.column) threshold = value * (label.greaterThan.times ?? 1);
        if (spec !== null) logit += WEIGHT * this.weightOf(c, 0) * (Math.log1p(value) - 2);
        builder.add(c, value);
      }
    });
    const positive = random.nextFloat() < 1 / (1 + Math.exp(-logit));
    if (labelAt >= 0) builder.add(labelAt, this.labelValue(positive, threshold));
    builder.endRow();
    return positive;
  }

  private labelValue(positive: boolean, threshold: number | null): string | number {
    const { positive: rule } = this.schema.label;
    if (threshold !== null) return positive ? threshold * 2 + 1 : 0;
    if (rule === undefined) return positive ? 1 : 0;
    if ('atLeast' in rule) return positive ? rule.atLeast : rule.atLeast - 1;
    return positive ? rule[0] : `not ${rule[0]}`;
  }

  private names(spec: FeatureSpec & { readonly type: 'categorical' }, random: SeededRandom): number[] {
    const most = spec.separator === undefined ? 1 : (spec.maxLength ?? LIST_VALUES);
    const count = most === 1 ? 1 : 1 + random.nextBelow(most);
    const total = this.cumulative[VALUES - 1];
    return Array.from({ length: count }, () => {
      const wanted = random.nextFloat() * total;
      let low = 0;
      let high = VALUES - 1;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (this.cumulative[middle] > wanted) high = middle;
        else low = middle + 1;
      }
      return low;
    });
  }

  /** A fixed number of about variance 1 for each value of each column. */
  private weightOf(column: number, value: number): number {
    mix64((value ^ Math.imul(this.seed, 0x9e3779b1)) >>> 0, column + 1, this.mixed);
    const { low, high } = this.mixed;
    return (((low >>> 16) + (low & 0xffff) + (high >>> 16) + (high & 0xffff) - 131070) / 65535) * Math.sqrt(3);
  }
}
