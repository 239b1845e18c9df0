import { isIP, isIPv4, isIPv6 } from 'node:net';
import { MonolithError } from '../base/index.js';

/** host and port of 'host:port' or '[v6]:port'. Throws InvalidConfig for anything else. */
export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([0-9A-Fa-f:.%]+)\]|([^\s:/[\]]+)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65535 || (match[1] !== undefined && isIP(match[1]) !== 6)) {
    throw new MonolithError('InvalidConfig', `address "${address}": expected host:port or [IPv6]:port with a port in 1..65535`, {
      address,
    });
  }
  return { host: match[1] ?? match[2], port };
}

/** 'host:port', with brackets round an IPv6 host. */
export function joinAddress(host: string, port: number): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether only this machine can reach the host: 127.0.0.0/8, ::1, localhost. Names other than localhost count as reachable from outside. */
export function isLoopback(host: string): boolean {
  const plain = host.toLowerCase();
  if (plain === 'localhost' || plain === '::1') return true;
  return isIPv4(plain) && plain.startsWith('127.');
}
