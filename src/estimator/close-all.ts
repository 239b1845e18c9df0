/** Closes in reverse order; the first error is thrown after all were closed. */
export async function closeAll(open: readonly { close(): Promise<void> }[]): Promise<void> {
  const errors: unknown[] = [];
  for (const resource of [...open].reverse()) {
    try {
      await resource.close();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}
