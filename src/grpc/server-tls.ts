import { constants } from 'node:crypto';
import { createSecureContext, type SecureContextOptions, type TlsOptions } from 'node:tls';
import { MonolithError } from '../base/index.js';
import { WatchedFile } from './watched-file.js';

/** Files of a server's certificate. All are read again when they change. */
export type ServerTls = {
  /** PEM: certificate, followed by its chain. */
  readonly certFile: string;
  /** PEM: its private key. */
  readonly keyFile: string;
  /** PEM: authorities whose client certificates are taken. Given: every client must show one (mTLS). */
  readonly clientCaFile?: string;
};

/** The changing part of a server's TLS settings. */
export class ServerCertificates {
  readonly #cert: WatchedFile;
  readonly #key: WatchedFile;
  readonly #clientCa: WatchedFile | null;
  #seen: readonly (Buffer | null)[];
  #clientCaInUse: Buffer | null;

  /** Throws InvalidConfig, without key material, if a file can't be read or the key does not fit the certificate. */
  constructor({ certFile, keyFile, clientCaFile }: ServerTls) {
    this.#cert = new WatchedFile(certFile, 'certificate');
    this.#key = new WatchedFile(keyFile, 'private key');
    this.#clientCa = clientCaFile === undefined ? null : new WatchedFile(clientCaFile, 'client authority');
    this.#seen = this.#read();
    this.#clientCaInUse = this.#seen[2];
    const problem = this.#problem();
    if (problem !== null) {
      throw new MonolithError('InvalidConfig', `certificate ${certFile} with key ${keyFile}: ${problem}`, { certFile, keyFile });
    }
  }

  /** For tls.createServer. Clients older than TLS 1.2 are refused; nothing is resumed, so that a withdrawn authority counts at once. */
  serverOptions(): TlsOptions {
    return {
      ...this.#context(),
      ALPNProtocols: ['h2'],
      minVersion: 'TLSv1.2',
      requestCert: this.#clientCa !== null,
      rejectUnauthorized: this.#clientCa !== null,
      secureOptions: constants.SSL_OP_NO_TICKET,
      handshakeTimeout: 10_000,
    };
  }

  /**
   * New settings if the files have changed and fit together (in the middle of a rotation they may not; then the next call looks again).
   * `withdrawn`: the client authorities are others now, so open connections must prove themselves again.
   */
  refresh(): { readonly options: SecureContextOptions; readonly withdrawn: boolean } | null {
    const now = this.#read();
    if (now.every((content, i) => content === this.#seen[i])) return null;
    const before = this.#seen;
    this.#seen = now;
    if (this.#problem() !== null) {
      this.#seen = before;
      return null;
    }
    const withdrawn = now[2] !== this.#clientCaInUse;
    this.#clientCaInUse = now[2];
    return { options: { ...this.#context(), minVersion: 'TLSv1.2', secureOptions: constants.SSL_OP_NO_TICKET }, withdrawn };
  }

  #read(): readonly (Buffer | null)[] {
    return [this.#cert.content(), this.#key.content(), this.#clientCa?.content() ?? null];
  }

  #context(): SecureContextOptions {
    const [cert, key, ca] = this.#seen;
    return { ...(cert && { cert }), ...(key && { key }), ...(ca && { ca }) };
  }

  /** Why the files make no secure context; only OpenSSL's reason, never content. */
  #problem(): string | null {
    try {
      createSecureContext(this.#context());
      return null;
    } catch (error) {
      const { code, reason } = error as { code?: string; reason?: string };
      return reason ?? code ?? 'not usable';
    }
  }
}
