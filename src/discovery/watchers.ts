import type { EndWatch, ServiceInfo } from './discovery.js';

type Listener = (services: readonly ServiceInfo[]) => void;
type Entry = { readonly serviceType: string; readonly listener: Listener; last: string | null };

/** The watches of one discovery: each hears the services of its type once, and again when they differ from what it heard last. */
export class Watchers {
  readonly #entries = new Set<Entry>();

  add(serviceType: string, listener: Listener): EndWatch {
    const entry: Entry = { serviceType, listener, last: null };
    this.#entries.add(entry);
    return () => {
      this.#entries.delete(entry);
    };
  }

  /** Types that somebody watches, each once. */
  types(): string[] {
    return [...new Set([...this.#entries].map((entry) => entry.serviceType))];
  }

  /** Tells those who watch a type and have not heard this yet. The order of services does not matter. */
  tell(serviceType: string, services: readonly ServiceInfo[]): void {
    const text = JSON.stringify([...services].sort((a, b) => (a.id < b.id ? -1 : 1)));
    for (const entry of [...this.#entries]) {
      if (entry.serviceType !== serviceType || entry.last === text || !this.#entries.has(entry)) continue;
      entry.last = text;
      entry.listener(services);
    }
  }

  clear(): void {
    this.#entries.clear();
  }
}

/** What changed between two lists of services, matched by id. */
export type ServiceChange = { readonly change: 'added' | 'removed' | 'updated'; readonly service: ServiceInfo };

/** Additions and updates in the order of `after`, then removals in the order of `before`. */
export function serviceChanges(before: readonly ServiceInfo[], after: readonly ServiceInfo[]): ServiceChange[] {
  const old = new Map(before.map((service) => [service.id, service]));
  const changes: ServiceChange[] = [];
  for (const service of after) {
    const was = old.get(service.id);
    if (was === undefined) changes.push({ change: 'added', service });
    else if (JSON.stringify(was) !== JSON.stringify(service)) changes.push({ change: 'updated', service });
  }
  const ids = new Set(after.map((service) => service.id));
  for (const service of before) if (!ids.has(service.id)) changes.push({ change: 'removed', service });
  return changes;
}
