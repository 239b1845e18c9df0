import { MonolithError } from '../../base/index.js';

/** What a column of the schema is in Vowpal Wabbit text. */
export type VwColumn =
  | { readonly kind: 'label' | 'importance' | 'tag' }
  /** All features of a namespace; '' is the one without a name. */
  | { readonly kind: 'namespace'; readonly namespace: string }
  /** The value of one feature of a namespace. */
  | { readonly kind: 'feature'; readonly namespace: string; readonly feature: string };

/** How a schema writes the namespace without a name. */
export const UNNAMED = '|';

/** `label`, `importance`, `tag`, a namespace, or `namespace^feature`. @throws InvalidConfig for a name that can't stand in the text. */
export function parseVwColumn(name: string, where: string): VwColumn {
  if (name === 'label' || name === 'importance' || name === 'tag') return { kind: name };
  const caret = name.indexOf('^');
  const namespace = caret < 0 ? name : name.slice(0, caret);
  const feature = caret < 0 ? null : name.slice(caret + 1);
  const bad =
    (namespace !== UNNAMED && /[\s:|]/.test(namespace)) ||
    namespace === '' ||
    (feature !== null && (feature === '' || /[\s:|]/.test(feature)));
  if (bad) {
    throw new MonolithError(
      'InvalidConfig',
      `${where}: column "${name}": in vw a column is label, importance, tag, a namespace (| for the one without a name) or namespace^feature, without spaces, colons and bars`,
      { column: name },
    );
  }
  const own = namespace === UNNAMED ? '' : namespace;
  return feature === null ? { kind: 'namespace', namespace: own } : { kind: 'feature', namespace: own, feature };
}
