import { isIPv6 } from 'node:net';
import { MonolithError } from '../base/index.js';
import type { TrainingConfig } from '../config/index.js';
import { type ChannelSecurity, isLoopback, joinAddress, type RpcChannelOptions, type ServerSecurity } from '../grpc/index.js';

type Settings = TrainingConfig['distributed'];

/** How this process lets others in. */
export function serverSecurity({ tlsCert, tlsKey, tlsCa, tokenFile, insecure }: Settings): ServerSecurity {
  return {
    ...(tlsCert === null || tlsKey === null
      ? {}
      : { tls: { certFile: tlsCert, keyFile: tlsKey, ...(tlsCa === null ? {} : { clientCaFile: tlsCa }) } }),
    ...(tokenFile === null ? {} : { tokenFile }),
    insecure,
  };
}

/** How this process shows itself to others, and what it wants to see of them. */
export function channelOptions({ tlsCert, tlsKey, tlsCa, tlsServerName, tokenFile, insecure, peerTimeoutMs }: Settings): RpcChannelOptions {
  const tls = {
    ...(tlsCa === null ? {} : { caFile: tlsCa }),
    ...(tlsCert === null || tlsKey === null ? {} : { certFile: tlsCert, keyFile: tlsKey }),
    ...(tlsServerName === null ? {} : { serverName: tlsServerName }),
  };
  const security: ChannelSecurity = {
    ...(tlsCert === null && tlsCa === null ? {} : { tls }),
    ...(tokenFile === null ? {} : { tokenFile }),
    insecure,
  };
  // A connection without a sign of life must be given up well within the peer timeout.
  const silence = Math.max(1000, Math.min(5000, Math.floor(peerTimeoutMs / 3)));
  return { security, keepAliveMs: silence, keepAliveTimeoutMs: silence };
}

/** host and port of `host:port`, port 0 included. @param option its name for the message. @throws InvalidConfig */
export function splitBind(text: string, option = 'distributed.bind'): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([0-9A-Fa-f:.%]+)\]|([^\s:/[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new MonolithError('InvalidConfig', `${option}: expected host:port or [IPv6]:port, got "${text}"`, { bind: text });
  }
  return { host: match[1] ?? match[2], port };
}

/**
 * Where this process listens.
 * @param listed the address that the discovery lists for this process without being told; null where it lists none.
 */
export function bindAddress({ bind }: Settings, listed: string | null): { readonly host: string; readonly port: number } {
  if (bind !== null) return splitBind(bind);
  if (listed === null) return { host: '127.0.0.1', port: 0 };
  const { host, port } = splitBind(listed);
  // A name or address of this host that others use need not be one that can be bound, behind a service of Kubernetes for one.
  return isLoopback(host) ? { host, port } : { host: '0.0.0.0', port };
}

/** Under which address others find a process that listens on host and port. @throws InvalidConfig where that can't be known */
export function advertisedAddress({ advertise }: Settings, listed: string | null, host: string, port: number): string {
  if (advertise !== null) {
    if (/:\d{1,5}$/.test(advertise) && !isIPv6(advertise)) return advertise;
    return joinAddress(advertise, port);
  }
  if (listed !== null) return listed;
  if (host === '0.0.0.0' || host === '::') {
    throw new MonolithError('InvalidConfig', `listening on ${host}, others need to know a name or address of this host: give --advertise`, {
      host,
    });
  }
  return joinAddress(host, port);
}
