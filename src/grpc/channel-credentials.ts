import { connect as connectTcp, isIP, type OnReadOpts, type Socket } from 'node:net';
import { connect as connectTls, rootCertificates } from 'node:tls';
import { type ChannelCredentials, credentials, experimental } from '@grpc/grpc-js';
import { MonolithError } from '../base/index.js';
import { isLoopback, splitAddress } from './address.js';
import type { TokenSource } from './token.js';
import { RECHECK_MS, WatchedFile } from './watched-file.js';

/** How a client proves who it is and checks who it talks to. */
export type ChannelSecurity = TokenSource & {
  /** Talk TLS. Files are read again when they change. */
  readonly tls?: {
    /** PEM: authorities that are trusted; default: those that Node ships. */
    readonly caFile?: string;
    /** PEM: this client's certificate and key, for servers that ask for one. */
    readonly certFile?: string;
    readonly keyFile?: string;
    /** Name that the server's certificate must bear; default: the host of the address. */
    readonly serverName?: string;
  };
  /** Allow plain text to another machine. */
  readonly insecure?: boolean;
};

/**
 * Credentials for one address.
 * Throws InvalidConfig for files that can't be read and for plain text to another machine without `insecure`.
 */
export function channelCredentials(address: string, security: ChannelSecurity): ChannelCredentials {
  checkSecurity(address, security);
  const { tls } = security;
  if (tls === undefined) return credentials.createInsecure();
  const files = new CertificateFiles(tls.caFile, tls.certFile, tls.keyFile);
  return experimental.createCertificateProviderChannelCredentials(files, tls.certFile === undefined ? null : files, {});
}

/**
 * Begins one connection to an address: TCP, and TLS where `security` has it, with what the files hold now. Errors are those of the socket;
 * 'connect' or 'secureConnect' says that it stands.
 * A socket without TLS reads as `onread` says, one with TLS says 'data'.
 * Throws InvalidConfig as {@link channelCredentials} does.
 */
export function openSocket(address: string, security: ChannelSecurity, onread: OnReadOpts): Socket {
  checkSecurity(address, security);
  const { host, port } = splitAddress(address);
  const { tls } = security;
  if (tls === undefined) return connectTcp({ host, port, noDelay: true, onread });
  const { caFile, certFile, keyFile, serverName } = tls;
  const ca = caFile === undefined ? null : new WatchedFile(caFile, 'authority').content();
  const cert = certFile === undefined ? null : new WatchedFile(certFile, 'client certificate').content();
  const key = keyFile === undefined ? null : new WatchedFile(keyFile, 'client private key').content();
  const name = serverName ?? (isIP(host) === 0 ? host : undefined);
  const socket = connectTls({
    host,
    port,
    ALPNProtocols: ['h2'],
    minVersion: 'TLSv1.2',
    ...(name !== undefined && { servername: name }),
    ...(ca !== null && { ca }),
    ...(cert !== null && { cert }),
    ...(key !== null && { key }),
  });
  socket.setNoDelay(true);
  return socket;
}

function checkSecurity(address: string, { tls, insecure }: ChannelSecurity): void {
  if (tls === undefined) {
    if (isLoopback(splitAddress(address).host) || insecure === true) return;
    throw new MonolithError(
      'InvalidConfig',
      `connecting to ${address} without TLS would send everything in plain text over the network; give TLS files, or allow it with insecure: true (--insecure)`,
      { address },
    );
  }
  if ((tls.certFile === undefined) !== (tls.keyFile === undefined)) {
    throw new MonolithError('InvalidConfig', `connecting to ${address}: a client certificate needs both certFile and keyFile`, { address });
  }
}

type CaListener = experimental.CaCertificateUpdateListener;
type IdentityListener = experimental.IdentityCertificateUpdateListener;

/** Certificates out of files, told to grpc-js again when they change. Looks only while somebody listens. */
class CertificateFiles implements experimental.CertificateProvider {
  readonly #ca: WatchedFile | null;
  readonly #cert: WatchedFile | null;
  readonly #key: WatchedFile | null;
  readonly #caListeners = new Set<CaListener>();
  readonly #identityListeners = new Set<IdentityListener>();
  #told: readonly (Buffer | undefined)[] = [];
  #timer: NodeJS.Timeout | null = null;

  constructor(caFile: string | undefined, certFile: string | undefined, keyFile: string | undefined) {
    this.#ca = caFile === undefined ? null : new WatchedFile(caFile, 'authority');
    this.#cert = certFile === undefined ? null : new WatchedFile(certFile, 'client certificate');
    this.#key = keyFile === undefined ? null : new WatchedFile(keyFile, 'client private key');
    this.#told = this.#read();
  }

  addCaCertificateListener(listener: CaListener): void {
    this.#caListeners.add(listener);
    this.#watch();
    process.nextTick(() => this.#tellCa(listener));
  }

  removeCaCertificateListener(listener: CaListener): void {
    this.#caListeners.delete(listener);
    this.#watch();
  }

  addIdentityCertificateListener(listener: IdentityListener): void {
    this.#identityListeners.add(listener);
    this.#watch();
    process.nextTick(() => this.#tellIdentity(listener));
  }

  removeIdentityCertificateListener(listener: IdentityListener): void {
    this.#identityListeners.delete(listener);
    this.#watch();
  }

  #read(): readonly (Buffer | undefined)[] {
    return [this.#ca?.content(), this.#cert?.content(), this.#key?.content()];
  }

  #tellCa(listener: CaListener): void {
    listener({ caCertificate: this.#told[0] ?? Buffer.from(rootCertificates.join('\n')) });
  }

  #tellIdentity(listener: IdentityListener): void {
    const [, certificate, privateKey] = this.#told;
    listener(certificate === undefined || privateKey === undefined ? null : { certificate, privateKey });
  }

  #watch(): void {
    const listened = this.#caListeners.size + this.#identityListeners.size > 0;
    if (listened && this.#timer === null) {
      this.#timer = setInterval(() => this.#look(), RECHECK_MS);
      this.#timer.unref();
    } else if (!listened && this.#timer !== null) {
      clearInterval(this.#timer);
      this.#timer = null;
    }
  }

  #look(): void {
    const now = this.#read();
    if (now.every((content, i) => content === this.#told[i])) return;
    this.#told = now;
    for (const listener of this.#caListeners) this.#tellCa(listener);
    for (const listener of this.#identityListeners) this.#tellIdentity(listener);
  }
}
