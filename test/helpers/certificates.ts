import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type CertificateFiles = { readonly certFile: string; readonly keyFile: string };

/** A throw-away certificate authority, by the openssl program. */
export class TestAuthority {
  readonly caFile: string;
  readonly #folder: string;
  #issued = 0;

  constructor(name = 'authority') {
    this.#folder = mkdtempSync(join(tmpdir(), 'monolith-ca-'));
    mkdirSync(join(this.#folder, 'issued'));
    writeFileSync(join(this.#folder, 'index.txt'), '');
    writeFileSync(join(this.#folder, 'index.txt.attr'), 'unique_subject = no\n');
    const config = [
      '[ca]\ndefault_ca = d\n[d]',
      `database = ${this.#folder}/index.txt\nnew_certs_dir = ${this.#folder}/issued\nrand_serial = yes`,
      `certificate = ${this.#folder}/ca.pem\nprivate_key = ${this.#folder}/ca.key\ndefault_md = sha256\npolicy = p`,
      'copy_extensions = copy\n[p]\ncommonName = supplied\n[req]\ndistinguished_name = n\n[n]\n',
    ];
    writeFileSync(join(this.#folder, 'config'), config.join('\n'));
    this.caFile = join(this.#folder, 'ca.pem');
    this.#openssl(
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '3650',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      join(this.#folder, 'ca.key'),
      '-out',
      this.caFile,
      '-addext',
      'basicConstraints=critical,CA:TRUE',
    );
  }

  /** A certificate for a host name or address, valid from … to (YYYYMMDD). */
  issue(subject = 'IP:127.0.0.1', from = '20200101', to = '20990101'): CertificateFiles {
    const stem = join(this.#folder, `cert${this.#issued++}`);
    const files = { certFile: `${stem}.pem`, keyFile: `${stem}.key` };
    this.#openssl(
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-subj',
      '/CN=test',
      '-keyout',
      files.keyFile,
      '-out',
      `${stem}.csr`,
      '-addext',
      `subjectAltName=${subject}`,
    );
    this.#openssl(
      'ca',
      '-config',
      join(this.#folder, 'config'),
      '-batch',
      '-notext',
      '-in',
      `${stem}.csr`,
      '-out',
      files.certFile,
      '-startdate',
      `${from}000000Z`,
      '-enddate',
      `${to}000000Z`,
    );
    return files;
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, OPENSSL_CONF: join(this.#folder, 'config') },
    });
  }
}
