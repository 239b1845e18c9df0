import { z } from 'zod';

/** How the text of a flag or environment variable becomes a value. */
export type OptionKind = 'integer' | 'number' | 'boolean' | 'text' | 'choice' | 'list' | 'object';

/**
 * What a relative path in a value means. `data`: files, globs, folders ('-' is stdin); `folder`: a file or folder; `module`: a model file, as
 * opposed to a plain model name; `schema`: the name of a file with a feature schema, read in its place; `cache`: a folder, unless it is one of
 * the words of {@link switchOrFolder}.
 */
export type PathRule = 'data' | 'folder' | 'module' | 'schema' | 'cache';

type OptionFields<T, O extends boolean> = {
  readonly kind: OptionKind;
  /** What is accepted, in the words of an error message: "an integer ≥ 1". */
  readonly expected: string;
  readonly schema: z.ZodType<T>;
  /** undefined only for an optional option: the key is then absent from the configuration. */
  readonly defaultValue: T | undefined;
  readonly optional: O;
  readonly nullable: boolean;
  /** One sentence or two for people. */
  readonly text: string;
  /** Heading in the help, for options outside a section of the file. */
  readonly group: string | null;
  /** A short flag that differs from the option's dotted path. */
  readonly flag: string | null;
  /** Further names of the flag, under which other programs know it. */
  readonly aliases: readonly string[];
  /** Flags without a value that stand for a text of this option. */
  readonly switches: Readonly<Record<string, string>>;
  /** Least value, where it is checked together with other options, so that the first of several problems is always the same. */
  readonly least: number | null;
  readonly path: PathRule | null;
  /** Values of a choice that are announced but do not work yet, with the sentence that says so. */
  readonly unavailable: Readonly<Record<string, string>>;
};

/** One option: its type, default, limits and words. Everything else about options is derived from a tree of these. */
export class Option<T, O extends boolean = false> {
  constructor(private readonly fields: OptionFields<T, O>) {}

  get kind(): OptionKind {
    return this.fields.kind;
  }
  get expected(): string {
    return this.fields.expected;
  }
  get schema(): z.ZodType<T> {
    return this.fields.schema;
  }
  get defaultValue(): T | undefined {
    return this.fields.defaultValue;
  }
  get optional(): O {
    return this.fields.optional;
  }
  get nullable(): boolean {
    return this.fields.nullable;
  }
  get text(): string {
    return this.fields.text;
  }
  get group(): string | null {
    return this.fields.group;
  }
  get flag(): string | null {
    return this.fields.flag;
  }
  get aliases(): readonly string[] {
    return this.fields.aliases;
  }
  get switches(): Readonly<Record<string, string>> {
    return this.fields.switches;
  }
  get least(): number | null {
    return this.fields.least;
  }
  get path(): PathRule | null {
    return this.fields.path;
  }
  get unavailable(): Readonly<Record<string, string>> {
    return this.fields.unavailable;
  }
}

/** A section of the file that is null until one of its options is given. */
export class NullableSection<G> {
  constructor(readonly members: G) {}
}

type OptionValue<N> =
  N extends Option<infer T, boolean> ? T : N extends NullableSection<infer G> ? SectionValues<G> | null : SectionValues<N>;
type OptionalKeys<G> = { [K in keyof G]: G[K] extends Option<infer _T, true> ? K : never }[keyof G];

type Flat<T> = { [K in keyof T]: T[K] };

/** The configuration that a tree of options describes. */
export type SectionValues<G> = Flat<
  { readonly [K in Exclude<keyof G, OptionalKeys<G>>]: OptionValue<G[K]> } & {
    readonly [K in OptionalKeys<G>]?: OptionValue<G[K]>;
  }
>;

type Words = {
  readonly flag?: string;
  readonly aliases?: readonly string[];
  readonly switches?: Readonly<Record<string, string>>;
  readonly group?: string;
  readonly path?: PathRule;
};
type Limits = {
  readonly min?: number;
  readonly max?: number;
  /** The lower limit itself is not allowed. */
  readonly above?: number;
  /** Leave `min` to the check of options together. */
  readonly minTogether?: boolean;
};

function option<T, O extends boolean>(
  fields: Pick<OptionFields<T, O>, 'kind' | 'expected' | 'schema' | 'defaultValue' | 'optional' | 'text'> & {
    readonly nullable?: boolean;
    readonly unavailable?: Readonly<Record<string, string>>;
  },
  words: Words & Limits,
): Option<T, O> {
  return new Option({
    ...fields,
    nullable: fields.nullable ?? false,
    group: words.group ?? null,
    flag: words.flag ?? null,
    aliases: words.aliases ?? [],
    switches: words.switches ?? {},
    least: words.minTogether === true ? (words.min ?? null) : null,
    path: words.path ?? null,
    unavailable: fields.unavailable ?? {},
  });
}

function limitsText({ min, max, above }: Limits): string {
  if (above !== undefined) return max === undefined ? ` > ${above}` : ` > ${above} and ≤ ${max}`;
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}`;
  if (min !== undefined) return ` ≥ ${min}`;
  return max === undefined ? '' : ` ≤ ${max}`;
}

function limited(schema: z.ZodNumber, { min, max, above, minTogether }: Limits): z.ZodNumber {
  let result = schema;
  if (min !== undefined && minTogether !== true) result = result.min(min);
  if (max !== undefined) result = result.max(max);
  if (above !== undefined) result = result.gt(above);
  return result;
}

/** A whole number within limits; exact in a double. */
export function integer(defaultValue: number, text: string, more: Words & Limits = {}): Option<number> {
  const expected = `an integer${limitsText(more)}`;
  return option({ kind: 'integer', expected, schema: limited(z.int(), more), defaultValue, optional: false, text }, more);
}

/** A finite number within limits. */
export function number(defaultValue: number, text: string, more: Words & Limits = {}): Option<number> {
  const expected = `a number${limitsText(more)}`;
  return option({ kind: 'number', expected, schema: limited(z.number(), more), defaultValue, optional: false, text }, more);
}

/** A number that is absent unless given. */
export function optionalNumber(text: string, more: Words & Limits = {}): Option<number, true> {
  const expected = `a number${limitsText(more)}`;
  return option({ kind: 'number', expected, schema: limited(z.number(), more), defaultValue: undefined, optional: true, text }, more);
}

/** A whole number within limits, or null, which is the default. */
export function nullableInteger(text: string, more: Words & Limits = {}): Option<number | null> {
  const expected = `an integer${limitsText(more)} or null`;
  const schema = limited(z.int(), more).nullable();
  return option<number | null, false>(
    { kind: 'integer', expected, schema, defaultValue: null, optional: false, nullable: true, text },
    more,
  );
}

/** true or false. */
export function boolean(defaultValue: boolean, text: string, more: Words = {}): Option<boolean> {
  return option({ kind: 'boolean', expected: 'true or false', schema: z.boolean(), defaultValue, optional: false, text }, more);
}

/** Text that is not empty. */
export function text(defaultValue: string, words: string, more: Words = {}): Option<string> {
  return option({ kind: 'text', expected: 'text', schema: z.string().min(1), defaultValue, optional: false, text: words }, more);
}

/** Text or null, checked by a schema of its own. */
export function nullableText(expected: string, schema: z.ZodType<string>, words: string, more: Words = {}): Option<string | null> {
  return option<string | null, false>(
    {
      kind: 'text',
      expected: `${expected} or null`,
      schema: schema.nullable(),
      defaultValue: null,
      optional: false,
      nullable: true,
      text: words,
    },
    more,
  );
}

/** off, auto or a folder; false and true stand for the two words. */
export function switchOrFolder(defaultValue: 'off' | 'auto', words: string, more: Words = {}): Option<string> {
  const asWord = (value: string | boolean): string =>
    value === true || value === 'true' ? 'auto' : value === false || value === 'false' ? 'off' : value;
  const schema = z.union([z.string().min(1), z.boolean()]).transform(asWord);
  const expected = 'off, auto (or true) or a folder';
  return option<string, false>({ kind: 'text', expected, schema, defaultValue, optional: false, text: words }, { path: 'cache', ...more });
}

/** One of a few words (true and false may be among them). */
export function choice<const V extends string | boolean>(
  defaultValue: V,
  values: readonly V[],
  words: string,
  more: Words & { readonly unavailable?: Readonly<Record<string, string>> } = {},
): Option<V> {
  const expected = `one of ${values.map(String).join(', ')}`;
  const schema = z.literal(values as readonly [V, ...V[]]) as unknown as z.ZodType<V>;
  const unavailable = more.unavailable ?? {};
  return option({ kind: 'choice', expected, schema, defaultValue, optional: false, text: words, unavailable }, more);
}

/** A list of texts; in flags, variables and as a single text in a file it is separated by commas. */
export function list(words: string, more: Words = {}): Option<readonly string[]> {
  const schema = z.array(z.string().min(1)).readonly();
  return option({ kind: 'list', expected: 'a list of texts', schema, defaultValue: [], optional: false, text: words }, more);
}

/** A mapping with a schema of its own, and its default. In flags and variables it is YAML or JSON on one line. */
export function object<T>(defaultValue: T, schema: z.ZodType<T>, words: string, more: Words = {}): Option<T> {
  const nullable = defaultValue === null;
  const expected = nullable ? 'a mapping or null' : 'a mapping';
  return option({ kind: 'object', expected, schema, defaultValue, optional: false, nullable, text: words }, more);
}
