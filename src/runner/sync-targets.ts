import { MonolithError } from '../base/index.js';

const DEFAULT_PORT = { http: 80, https: 443 } as const;
const HOST_AND_PORT = /^(\[[0-9a-f:.]+\]|[^\s:/?#@[\]]+)(?::(\d{1,5}))?$/i;

/**
 * A target of parameter synchronisation with everything said: `http` unless it says otherwise, the host in lower case, the port of its scheme.
 * @throws InvalidConfig for another scheme, a path, a query, a user, and for what is no host.
 */
export function canonicalSyncTarget(target: string): string {
  const refuse = (why: string): MonolithError =>
    new MonolithError('InvalidConfig', `distributed config has invalid parameter_sync_targets entry \`${target}\`: ${why}`, { target });
  const [, given, rest] = /^(?:([^/?#]*):\/\/)?(.*)$/s.exec(target) as unknown as [string, string | undefined, string];
  const scheme = (given ?? 'http').toLowerCase();
  if (scheme !== 'http' && scheme !== 'https') throw refuse('endpoint scheme must be http or https');
  const [, authority, after] = /^([^/?#]*)(.*)$/s.exec(rest) as unknown as [string, string, string];
  if (/\s/.test(target)) throw refuse('endpoint must not contain whitespace');
  if (after !== '' && after !== '/') throw refuse('endpoint must not include a URL path or query');
  if (authority === '') throw refuse('endpoint is missing host:port authority');
  if (authority.includes('@')) throw refuse('endpoint must not include userinfo');
  const match = HOST_AND_PORT.exec(authority);
  const port = match?.[2] === undefined ? DEFAULT_PORT[scheme] : Number(match[2]);
  if (match === null || port < 1 || port > 65535) throw refuse('endpoint must be host:port with a port from 1 to 65535');
  return `${scheme}://${match[1].toLowerCase()}:${port}`;
}
