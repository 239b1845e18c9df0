import { z } from 'zod';
import { isSampling, maxSamplings, type RecordFilter } from '../features/index.js';

const value = z.union([z.string(), z.number()]);

const filter = z.strictObject({
  column: z.string().min(1).optional(),
  label: z.literal(true).optional(),
  in: z.array(value).min(1).optional(),
  notIn: z.array(value).min(1).optional(),
  equals: value.optional(),
  atLeast: z.number().optional(),
  atMost: z.number().optional(),
  keep: z.boolean().optional(),
  sample: z.strictObject({ label: z.number(), rate: z.number().min(0).max(1) }).optional(),
});

/** Validator of the filters of a feature schema. */
export const recordFilters = z.array(filter).min(1);

/** What is wrong with filters that have the right form: calls `report` with the path below `filters`. */
export function checkFilters(filters: readonly RecordFilter[], report: (path: (string | number)[], message: string) => void): void {
  const sampled = new Set<number>();
  filters.forEach((entry, i) => {
    if (isSampling(entry)) {
      const more = Object.entries(entry).find(([key, given]) => key !== 'sample' && given !== undefined);
      if (more !== undefined) report([i], `has sample and ${more[0]}; write two filters`);
      if (sampled.has(entry.sample.label)) report([i, 'sample', 'label'], `label ${entry.sample.label} is sampled twice`);
      sampled.add(entry.sample.label);
      if (sampled.size > maxSamplings) report([i], `at most ${maxSamplings} labels can be sampled`);
      return;
    }
    const lists = (['in', 'notIn', 'equals'] as const).filter((key) => entry[key] !== undefined);
    const bounded = entry.atLeast !== undefined || entry.atMost !== undefined;
    if ((entry.column === undefined) === (entry.label === undefined)) report([i], 'needs either column or label: true');
    else if (lists.length > 1) report([i], `has ${lists.join(' and ')}; give one of them`);
    else if (lists.length === 0 && !bounded) report([i], 'needs a condition: in, notIn, equals, atLeast or atMost');
    else if (entry.notIn !== undefined && bounded) report([i], 'has notIn and a bound; write two filters');
    else if ((entry.atLeast ?? Number.NEGATIVE_INFINITY) > (entry.atMost ?? Number.POSITIVE_INFINITY)) {
      report([i], `atLeast ${entry.atLeast} is above atMost ${entry.atMost}`);
    } else if (entry.label === true && [...(entry.in ?? entry.notIn ?? []), entry.equals ?? 0].some((one) => typeof one === 'string')) {
      report([i], 'the label is a number: give numbers');
    }
  });
}
