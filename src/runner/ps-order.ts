import { MonolithError } from '../base/index.js';
import { parseIndex, type ServiceInfo } from '../discovery/index.js';

/** Why what was announced can't be put into order, or not yet. */
export const psOrderIssues = [
  'MissingOrGappedIndexSet',
  'ConflictingDuplicateIndex',
  'MixedIndexMetadataPresence',
  'InvalidIndexMetadata',
] as const;
export type PsOrderIssue = (typeof psOrderIssues)[number];

/**
 * Addresses of the parameter servers by shard. When all services name their index, it is the order: 0 … numPs − 1 must be there, higher ones
 * are left out. When none does: addresses in ascending order as texts, each once, and there may be fewer or more than numPs. Anything between
 * is refused, since a wrong order would send every row to a wrong shard.
 * @throws InvalidIndexMetadata, MixedIndexMetadataPresence, ConflictingDuplicateIndex, MissingOrGappedIndexSet, in this order.
 */
export function orderPsAddresses(services: readonly ServiceInfo[], numPs: number): string[] {
  const named = services.filter(({ metadata }) => Object.hasOwn(metadata, 'index'));
  if (named.length === 0) return [...new Set(services.map(({ address }) => address))].sort();
  const byIndex = new Map<number, string>();
  let conflict: MonolithError | null = null;
  for (const { id, address, metadata } of named) {
    const index = parseIndex(metadata.index);
    if (index === null)
      throw issue('InvalidIndexMetadata', `${id} at ${address} names the index "${metadata.index}", expected a whole number from 0`);
    const other = byIndex.get(index);
    if (other !== undefined && other !== address) {
      conflict ??= issue('ConflictingDuplicateIndex', `index ${index} is announced at ${other} and at ${address}; end one of them`);
    }
    byIndex.set(index, other ?? address);
  }
  if (named.length < services.length) {
    throw issue(
      'MixedIndexMetadataPresence',
      `${named.length} of ${services.length} parameter servers name their index; all must, or none`,
    );
  }
  if (conflict !== null) throw conflict;
  const missing = Array.from({ length: numPs }, (_, index) => index).filter((index) => !byIndex.has(index));
  if (missing.length > 0) {
    const found = [...byIndex.keys()].sort((a, b) => a - b);
    throw issue(
      'MissingOrGappedIndexSet',
      `of parameter servers 0 to ${numPs - 1}, ${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing; found ${found.join(', ')}`,
    );
  }
  return Array.from({ length: numPs }, (_, index) => byIndex.get(index) as string);
}

/** The issue of an error of {@link orderPsAddresses}; null for other errors. */
export function psOrderIssueOf(error: unknown): PsOrderIssue | null {
  return error instanceof MonolithError ? (psOrderIssues.find((code) => code === error.code) ?? null) : null;
}

function issue(code: PsOrderIssue, message: string): MonolithError {
  return new MonolithError(code, message);
}
