import { MonolithError } from '../base/index.js';
import type { Discovery, ServiceInfo } from '../discovery/index.js';
import { bounded, pause } from './bounded.js';
import type { DistributedRunConfig } from './distributed-config.js';
import { orderPsAddresses, type PsOrderIssue, psOrderIssueOf } from './ps-order.js';

/**
 * Looks for the parameter servers until all are announced in a consistent order: connectRetries + 1 looks, retryBackoffMs between two. A
 * failing backend counts as one that knows of none. Only addresses come out; nothing is connected.
 *
 * @param serviceId who waits, for messages.
 * @returns [numPs] addresses by shard.
 * @throws DiscoveryTimeout, whose message and details say what was seen; the signal's reason when it ends the wait.
 */
export async function waitForPs(
  discovery: Pick<Discovery, 'discover'>,
  config: DistributedRunConfig,
  serviceId: string,
  signal: AbortSignal,
): Promise<string[]> {
  const { numPs, discoveryServiceTypePs: serviceType, connectRetries, retryBackoffMs } = config;
  const seen: Seen = { got: 0, attempts: 0, maxRaw: 0, maxUsable: 0, issue: null, error: null };
  for (;;) {
    signal.throwIfAborted();
    const addresses = await look(discovery, config, serviceId, seen);
    if (addresses.length >= numPs) return addresses.slice(0, numPs);
    if (seen.attempts > connectRetries) throw timedOut(serviceId, serviceType, numPs, seen);
    await pause(retryBackoffMs, signal);
  }
}

/** What the looks so far have found. */
type Seen = {
  got: number;
  attempts: number;
  maxRaw: number;
  maxUsable: number;
  /** The last inconsistency, until a consistent set is seen. */
  issue: { readonly code: PsOrderIssue; readonly text: string } | null;
  /** The last failure of the backend, until it answers. */
  error: string | null;
};

async function look(
  discovery: Pick<Discovery, 'discover'>,
  config: DistributedRunConfig,
  serviceId: string,
  seen: Seen,
): Promise<readonly string[]> {
  const type = config.discoveryServiceTypePs;
  let services: readonly ServiceInfo[] = [];
  seen.attempts++;
  try {
    const what = `discover ${serviceId} for ${type}`;
    services = await bounded('operation', what, config.discoveryOperationTimeoutMs, () => discovery.discover(type));
    seen.error = null;
  } catch (error) {
    seen.error = error instanceof Error ? error.message : String(error);
  }
  let addresses: readonly string[] = [];
  try {
    addresses = orderPsAddresses(services, config.numPs);
    if (addresses.length > 0) seen.issue = null;
  } catch (error) {
    const code = psOrderIssueOf(error);
    if (code === null) throw error;
    seen.issue = { code, text: (error as MonolithError).message };
  }
  seen.got = addresses.length;
  seen.maxRaw = Math.max(seen.maxRaw, services.length);
  seen.maxUsable = Math.max(seen.maxUsable, addresses.length);
  return addresses;
}

function timedOut(serviceId: string, serviceType: string, expected: number, seen: Seen): MonolithError {
  const { got, attempts, maxRaw, maxUsable, issue, error } = seen;
  const facts = [`attempts: ${attempts}`, `max raw observed: ${maxRaw}`, `max usable observed: ${maxUsable}`];
  if (issue !== null) facts.push(`last ordering issue: ${issue.code}`);
  if (error !== null) facts.push(`last discovery error: ${error}`);
  const why = issue === null ? '' : `. ${issue.code}: ${issue.text}`;
  return new MonolithError(
    'DiscoveryTimeout',
    `Timed out waiting for PS discovery for ${serviceId} (service type: ${serviceType}): got ${got} expected ${expected} (${facts.join('; ')})${why}`,
    { serviceId, serviceType, got, expected, attempts, maxRaw, maxUsable, orderingIssue: issue?.code ?? null, discoveryError: error },
  );
}
