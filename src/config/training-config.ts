import type { NullableSection, Option, SectionValues } from './option.js';
import type { optionTree } from './options.js';

/** The configuration of a run, complete and checked. Its keys, types and defaults are those of docs/configuration.md. Plain JSON. */
export type TrainingConfig = SectionValues<typeof optionTree>;

type Part<N> =
  N extends Option<infer T, boolean>
    ? T
    : N extends NullableSection<infer G>
      ? { readonly [K in keyof G]?: Part<G[K]> } | null
      : SectionPart<N>;
type SectionPart<G> = { readonly [K in keyof G]?: Part<G[K]> };

/** Some of the options of a run, in the shape of {@link TrainingConfig}. */
export type PartialTrainingConfig = SectionPart<typeof optionTree>;
