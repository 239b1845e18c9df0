// Which records of the data are left out.

/** A condition on a record: all the parts that are given must hold. */
export type RecordFilter = {
  /** Column (or feature of a TFRecord, or column of Monolith's formats: one of several values is enough). */
  readonly column?: string | undefined;
  /** In place of `column`: the label as the schema makes it. */
  readonly label?: true | undefined;
  /** The value is one of these: texts are compared as they stand, numbers as numbers. */
  readonly in?: readonly (string | number)[] | undefined;
  readonly notIn?: readonly (string | number)[] | undefined;
  readonly equals?: string | number | undefined;
  readonly atLeast?: number | undefined;
  readonly atMost?: number | undefined;
  /** true (default): records for which it holds stay; false: they are left out. */
  readonly keep?: boolean | undefined;
  /** In place of a condition: of the training records with this label a share of `rate` is used, the same ones in every epoch. */
  readonly sample?: { readonly label: number; readonly rate: number } | undefined;
};

/** A filter that samples. */
export type LabelSampling = RecordFilter & { readonly sample: { readonly label: number; readonly rate: number } };

/** Most samplings of a schema: each has a bit of a record's flags. */
export const maxSamplings = 4;

export function isSampling(entry: RecordFilter): entry is LabelSampling {
  return entry.sample !== undefined;
}
