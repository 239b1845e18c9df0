import type { ServiceInfo } from './discovery.js';
import { discoveryError, joinAddress } from './service.js';

// What Consul answers, turned into services. The replies come from outside: every part is looked at before it is used.

type Json = Readonly<Record<string, unknown>>;

function wrong(what: string): Error {
  return discoveryError('Internal', `Consul: ${what}`, { backend: 'consul' });
}

function record(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function member(value: unknown, name: string): unknown {
  const owner = record(value);
  return Object.hasOwn(owner, name) ? owner[name] : undefined;
}

function textOf(value: unknown, name: string): string | null {
  const text = member(value, name);
  return typeof text === 'string' && text !== '' ? text : null;
}

/** `key:value` tags as pairs; other tags are passed over. */
function pairsOfTags(tags: unknown): [string, string][] {
  if (!Array.isArray(tags)) return [];
  return tags.flatMap((tag): [string, string][] => {
    const at = typeof tag === 'string' ? tag.indexOf(':') : -1;
    return at > 0 ? [[tag.slice(0, at), tag.slice(at + 1)]] : [];
  });
}

function pairsOfRecord(value: unknown): [string, string][] {
  return Object.entries(record(value)).flatMap(([key, text]): [string, string][] => (typeof text === 'string' ? [[key, text]] : []));
}

/** A plain object whose members are own ones, whatever they are called. */
function asMetadata(pairs: readonly (readonly [string, string])[]): Record<string, string> {
  return Object.fromEntries(pairs);
}

function addressOf(host: string | null, port: unknown, where: string): string {
  if (host === null) throw wrong(`${where} has no address`);
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65535) {
    throw wrong(`${where} has port ${JSON.stringify(port) ?? 'nothing'}, expected one from 1 to 65535`);
  }
  return joinAddress(host, port);
}

/**
 * Services of a role in the answer of `GET /v1/health/service/<name>`. The role stands in Meta.type, or in a tag `name:<role>`; entries without
 * one belong to somebody else.
 * @throws Discovery for an answer of another form.
 */
export function servicesOfHealthReply(reply: unknown, serviceType: string): ServiceInfo[] {
  if (!Array.isArray(reply)) throw wrong(`the list of services is ${JSON.stringify(reply)?.slice(0, 60) ?? 'nothing'}, not a list`);
  return reply.flatMap((entry): ServiceInfo[] => {
    const service = member(entry, 'Service');
    const pairs = [...pairsOfTags(member(service, 'Tags')), ...pairsOfRecord(member(service, 'Meta'))];
    const metadata = asMetadata(pairs.filter(([key]) => key !== 'name' && key !== 'type' && key !== 'ip'));
    const role = textOf(asMetadata(pairs), 'type') ?? textOf(asMetadata(pairs), 'name');
    if (role !== serviceType) return [];
    const id = textOf(service, 'ID') ?? 'a service without ID';
    const address = addressOf(textOf(service, 'Address') ?? textOf(member(entry, 'Node'), 'Address'), member(service, 'Port'), id);
    return [{ id: textOf(metadata, 'serviceId') ?? id, serviceType, address, metadata: without(metadata, 'serviceId'), health: 'healthy' }];
  });
}

/**
 * Services of a role in the answer of ByteDance's `GET /v1/lookup/name?name=<psm>`: entries with Host, Port and Tags {index, name, ip}; an ip in
 * the tags is where the service listens. Entries without name belong to somebody else.
 * @throws Discovery for an answer of another form.
 */
export function servicesOfLookupReply(reply: unknown, serviceType: string): ServiceInfo[] {
  if (!Array.isArray(reply)) throw wrong(`the lookup is ${JSON.stringify(reply)?.slice(0, 60) ?? 'nothing'}, not a list`);
  return reply.flatMap((entry, place): ServiceInfo[] => {
    const tags = member(entry, 'Tags');
    if (textOf(tags, 'name') !== serviceType) return [];
    const address = addressOf(textOf(tags, 'ip') ?? textOf(entry, 'Host'), member(entry, 'Port'), `entry ${place} of the lookup`);
    const metadata = asMetadata(pairsOfRecord(tags).filter(([key]) => key !== 'name' && key !== 'ip'));
    const id = `${serviceType}-${textOf(tags, 'index') ?? address}`;
    return [{ id, serviceType, address, metadata, health: 'healthy' }];
  });
}

function without(metadata: Readonly<Record<string, string>>, key: string): Record<string, string> {
  return asMetadata(Object.entries(metadata).filter(([name]) => name !== key));
}
