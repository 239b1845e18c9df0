import { z } from 'zod';

/** What the rest of this room knows of a feature schema: how it is checked. */
export const dataSchemaCheck: z.ZodType<Readonly<Record<string, unknown>>> = z.record(z.string(), z.unknown());
